# Counts checks and tests, and never loses a failure. Sourced by .ci/run and, to be proven, by .ci/selftest.
#
#	check NAME COMMAND...		one check: passed if the command exits 0
#	check_tests NAME COMMAND...	a run of kc-tests: its own counts are added; red whenever they cannot be trusted
#	skip NAME REASON		a check that this machine cannot make
#	tally				prints the closing line; its status is the whole's
#
# A check that runs longer than KC_CHECK_LIMIT (of timeout(1)) has failed. All of them run, whatever failed before.
# shellcheck shell=bash

passed=0 failed=0 skipped=0
failures=()

note_failure() { # NAME WHY
	failed=$((failed + 1))
	failures+=("$1: $2")
	echo "FAILED $1: $2"
}

# Runs the command with its output shown, and with a time limit; the status is the command's.
run_limited() { # NAME COMMAND...
	echo "=== $1"
	timeout --kill-after=20 "${KC_CHECK_LIMIT:-20m}" "${@:2}" </dev/null 2>&1
}

check() { # NAME COMMAND...
	local status=0 start=$SECONDS

	run_limited "$@" || status=$?
	if [ "$status" -ne 0 ]; then
		note_failure "$1" "status $status"
		return
	fi
	passed=$((passed + 1))
	echo "ok $1 ($((SECONDS - start)) s)"
}

check_tests() { # NAME COMMAND...
	local status=0 start=$SECONDS log line

	log=$(mktemp)
	run_limited "$@" | tee "$log" || status=$?
	line=$(tail -n 1 "$log")
	rm -f -- "$log"
	if ! [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		note_failure "$1" "status $status, and its last line is no count of tests"
		return
	fi
	passed=$((passed + BASH_REMATCH[1]))
	skipped=$((skipped + BASH_REMATCH[3]))
	failed=$((failed + BASH_REMATCH[2]))
	if [ "${BASH_REMATCH[2]}" -ne 0 ]; then
		failures+=("$1: ${BASH_REMATCH[2]} tests")
		echo "FAILED $1: ${BASH_REMATCH[2]} tests"
	elif [ "$status" -ne 0 ]; then
		note_failure "$1" "status $status although no test failed"
	elif [ "${BASH_REMATCH[1]}" -eq 0 ]; then
		note_failure "$1" "no test passed"
	else
		echo "ok $1 ($((SECONDS - start)) s)"
	fi
}

skip() { # NAME REASON
	skipped=$((skipped + 1))
	echo "skipped $1: $2"
}

tally() {
	local failure

	[ "$passed" -ne 0 ] || note_failure tally "nothing passed"
	for failure in "${failures[@]}"; do
		echo "FAILED $failure"
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
