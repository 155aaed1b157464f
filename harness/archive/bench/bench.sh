#!/bin/sh
# Cold and warm unpacking of a volume against `xz -dc ARCHIVE >/dev/null`, interleaved, medians.
#
#	bench.sh ARCHIVE [ROUNDS]
#
# ARCHIVE is a krunner-env.*.tar.xz. The program is $KC_BENCH_UNPACK, else build/release/kc-bench-unpack
# (cmake --preset release -DKC_BENCH=ON). The store is made below $TMPDIR, else ~/.cache: measured is the file
# system that it is on. Bars of the project: ratio at most 1.15, peak memory under 64 MiB.
set -eu

archive=${1:?usage: bench.sh ARCHIVE [ROUNDS]}
rounds=${2:-7}
root=$(cd "$(dirname "$0")/../../.." && pwd)
unpack=${KC_BENCH_UNPACK:-$root/build/release/kc-bench-unpack}
scratch=$(mktemp -d "${TMPDIR:-$HOME/.cache}/kc-bench-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
export XDG_CACHE_HOME="$scratch"

# measure NAME COMMAND...: appends "seconds kilobytes" to the file NAME
measure() {
	name=$1
	shift
	/usr/bin/time -a -o "$scratch/$name" -f '%e %M' "$@" >/dev/null
}

median() {
	sort -n "$scratch/$1" | awk '{ s[NR] = $1 } END { print (s[int((NR + 1) / 2)] + s[int((NR + 2) / 2)]) / 2 }'
}

peak() {
	awk '$2 > most { most = $2 } END { printf "%.1f", most / 1024 }' "$scratch/$1"
}

cat "$archive" >/dev/null # from the page cache, for both
round=0
while [ "$round" -lt "$rounds" ]; do
	measure xz xz -dc "$archive"
	measure cold "$unpack" "$archive"
	measure warm "$unpack" "$archive"
	rm -rf "$scratch/krunner-compat/trees"/*
	round=$((round + 1))
done

xz_s=$(median xz)
cold_s=$(median cold)
echo "file system  $(df -PT "$scratch" | awk 'NR == 2 { print $2 " on " $1 }')"
echo "xz -dc       $xz_s s"
echo "cold unpack  $cold_s s, peak $(peak cold) MiB"
echo "warm verify  $(median warm) s, peak $(peak warm) MiB"
awk -v cold="$cold_s" -v xz="$xz_s" 'BEGIN { printf "cold / xz    %.3f\n", cold / xz }'
