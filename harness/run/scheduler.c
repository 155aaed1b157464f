#include "run/scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "run/orphans.h"
#include "run/repeat.h"
#include "run/trace.h"
#include "run/worker.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "sys/time.h"

#define TICK_MS 100
#define FDS_PER_WORKER 3

struct slot {
	size_t index; /* of the case */
	char scratch[PATH_MAX];
	struct kc_repeat repeat; /* its runs so far */
	unsigned int retried;
	struct kc_result earlier; /* the last try but this one, which has those before it */
};

/* The cases that wait, or those that work: each kind has places of its own. */
struct lane {
	size_t next; /* in plan->order: the first of this kind that is not started, or the plan's count */
	unsigned int running, most;
};

enum { WORKING, WAITING, LANES };

struct session {
	const struct kc_scheduler *scheduler;
	const struct kc_plan *plan;
	struct kc_worker *workers; /* those of a free slot are zeroed */
	struct slot *slots;
	struct pollfd *fds;
	unsigned int slot_count; /* enough for all lanes at their fullest */
	unsigned int running;
	struct lane lanes[LANES];
	enum kc_case_phase phase; /* of what runs */
	size_t reported;
	int64_t last_tick_ms;
	struct kc_tally tally;
};

static unsigned int default_jobs(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 2;
	return (unsigned int)CPU_COUNT(&set);
}

static void tell_started(const struct session *session, size_t index)
{
	for (size_t i = 0; i < session->scheduler->report_count; i++) {
		struct kc_report *report = session->scheduler->reports[i];

		report->ops->case_started(report, &session->plan->cases[index]);
	}
}

static void tick(struct session *session)
{
	int64_t now_ms = kc_now_ms();

	if (now_ms - session->last_tick_ms < TICK_MS)
		return;
	session->last_tick_ms = now_ms;
	for (size_t i = 0; i < session->scheduler->report_count; i++) {
		struct kc_report *report = session->scheduler->reports[i];

		if (report->ops->tick)
			report->ops->tick(report);
	}
}

static void record(struct session *session, size_t index, struct kc_result *result)
{
	if (session->scheduler->context->must_run && result->verdict == KC_SKIP)
		kc_result_broken(result, KC_RESULT_MUST_RUN "%s", kc_result_message(result));
	for (size_t i = 0; i < session->scheduler->report_count; i++) {
		struct kc_report *report = session->scheduler->reports[i];

		report->ops->case_done(report, &session->plan->cases[index], result);
	}
	session->tally.counts[result->verdict]++;
	session->reported++;
}

/* Names are checked by the plan: none of them can lead anywhere else. What is kept of an earlier run keeps its name. */
static int make_scratch(const struct session *session, struct slot *slot, struct kc_error *err)
{
	const struct kc_report_case *testcase = &session->plan->cases[slot->index];
	char run[16] = "";
	int length;

	slot->scratch[0] = '\0';
	if (!session->scheduler->scratch)
		return 0;
	if (slot->repeat.count + slot->retried)
		(void)snprintf(run, sizeof(run), "-%u", slot->repeat.count + slot->retried + 1);
	length = snprintf(slot->scratch, sizeof(slot->scratch), "%s/%s.%s%s", session->scheduler->scratch,
			  testcase->classname, testcase->name, run);
	if (length < 0 || (size_t)length >= sizeof(slot->scratch))
		return kc_error_errno(err, ENAMETOOLONG, "create directory `%s/...`",
				      session->scheduler->scratch);
	if (mkdir(slot->scratch, 0700) < 0)
		return kc_error_errno(err, errno, "create directory `%s`", slot->scratch);
	return 0;
}

static void tell_kept(const struct session *session, const struct slot *slot, struct kc_result *result)
{
	kc_result_property(result, "kept", "%s", slot->scratch);
	if (session->scheduler->context->trace)
		kc_trace_tell(slot->scratch, result);
}

static void leave_scratch(const struct session *session, const struct slot *slot, struct kc_result *result)
{
	struct kc_error err = { 0 };

	if (!slot->scratch[0])
		return;
	if (session->scheduler->context->keep)
		tell_kept(session, slot, result);
	else if (kc_tree_remove(AT_FDCWD, slot->scratch, &err) < 0)
		kc_result_broken_by(result, &err);
}

static int start_worker(struct session *session, struct kc_worker *worker, struct slot *slot,
			struct kc_error *err)
{
	const struct kc_scheduler *scheduler = session->scheduler;
	const struct kc_plan_entry *entry = &session->plan->entries[slot->index];
	struct kc_case_context context = scheduler->context[session->plan->cases[slot->index].suite];
	int status = make_scratch(session, slot, err);

	if (status < 0)
		return status;
	context.item = entry->item;
	context.scratch = slot->scratch[0] ? slot->scratch : NULL;
	context.timeout_ms = session->plan->cases[slot->index].timeout_ms;
	return kc_worker_start(worker, entry->row, &context,
			       scheduler->grace_ms ? scheduler->grace_ms : KC_SCHEDULER_GRACE_MS,
			       session->workers, session->slot_count, err);
}

static const struct kc_case *row_of(const struct session *session, size_t index)
{
	return session->plan->entries[index].row;
}

static struct lane *lane_of(struct session *session, size_t index)
{
	return &session->lanes[row_of(session, index)->waits ? WAITING : WORKING];
}

/* All the runs of a slot's case that there are, as one. */
static void record_runs(struct session *session, struct slot *slot)
{
	struct kc_result merged;

	kc_result_init(&merged);
	kc_repeat_merge(&slot->repeat, &merged);
	if (slot->retried)
		kc_result_add_attempt(&merged, &slot->earlier);
	kc_result_release(&slot->earlier);
	slot->retried = 0;
	record(session, slot->index, &merged);
	kc_result_release(&merged);
	kc_repeat_release(&slot->repeat);
}

/* One run of a slot's case. One whose worker cannot be started has a result as any other, and is the last. */
static void start_run(struct session *session, unsigned int number)
{
	struct slot *slot = &session->slots[number];
	struct kc_error err = { 0 };
	struct kc_result result;

	if (start_worker(session, &session->workers[number], slot, &err) == 0) {
		session->running++;
		lane_of(session, slot->index)->running++;
		return;
	}
	kc_result_init(&result);
	kc_result_broken_by(&result, &err);
	kc_repeat_add(&slot->repeat, &result);
	kc_result_release(&result);
	record_runs(session, slot);
}

static void start_case(struct session *session, unsigned int free_slot, size_t index)
{
	session->slots[free_slot].index = index;
	tell_started(session, index);
	start_run(session, free_slot);
}

/* Moves a lane to the first case of its kind from where it stands. */
static void seek(struct session *session, struct lane *lane)
{
	const struct kc_plan *plan = session->plan;

	while (lane->next < plan->count && lane_of(session, plan->order[lane->next]) != lane)
		lane->next++;
}

static bool has_next(const struct session *session, const struct lane *lane)
{
	return lane->next < session->plan->count;
}

static bool is_all_started(const struct session *session)
{
	return !has_next(session, &session->lanes[WORKING]) && !has_next(session, &session->lanes[WAITING]);
}

/* A phase begins when nothing of the one before it is left: the order has it sorted, so the nearer of the next ones is of the
 * lowest. */
static void choose_phase(struct session *session)
{
	const struct kc_plan *plan = session->plan;
	size_t working = session->lanes[WORKING].next, waiting = session->lanes[WAITING].next;
	size_t nearer = working < waiting ? working : waiting;

	if (session->running == 0 && nearer < plan->count)
		session->phase = row_of(session, plan->order[nearer])->phase;
}

static bool may_start(const struct session *session, const struct lane *lane)
{
	return has_next(session, lane) && lane->running < lane->most &&
	       row_of(session, session->plan->order[lane->next])->phase == session->phase;
}

static void start_lane(struct session *session, struct lane *lane)
{
	while (may_start(session, lane)) {
		size_t index = session->plan->order[lane->next++];
		unsigned int slot = 0;

		while (session->workers[slot].pid)
			slot++;
		seek(session, lane);
		start_case(session, slot, index);
	}
}

/* With --fail-fast, once something did not pass. */
static bool is_over(const struct session *session)
{
	return session->scheduler->fail_fast &&
	       (session->tally.counts[KC_FAIL] || session->tally.counts[KC_BROKEN]);
}

/* Every planned case reports, those that are not run as well. */
static void leave_out_rest(struct session *session)
{
	for (int i = 0; i < LANES; i++)
		while (has_next(session, &session->lanes[i])) {
			struct lane *lane = &session->lanes[i];
			size_t index = session->plan->order[lane->next++];
			struct kc_result result;

			seek(session, lane);
			kc_result_init(&result);
			kc_result_broken(
				&result,
				"not run: a case before it did not pass, and --fail-fast ends the run then");
			record(session, index, &result);
			kc_result_release(&result);
		}
}

static void start_cases(struct session *session)
{
	if (is_over(session))
		leave_out_rest(session);
	choose_phase(session);
	start_lane(session, &session->lanes[WAITING]);
	start_lane(session, &session->lanes[WORKING]);
}

/* Waits for something to happen, but not past the next tick. */
static void wait_for_workers(struct session *session)
{
	nfds_t count = 0;

	session->fds[count++] = (struct pollfd){ .fd = kc_signals_fd(), .events = POLLIN };
	for (unsigned int i = 0; i < session->slot_count; i++) {
		const struct kc_worker *worker = &session->workers[i];
		int fds[FDS_PER_WORKER] = { worker->pidfd, worker->result_fd, worker->output_fd };

		for (int f = 0; worker->pid && f < FDS_PER_WORKER; f++)
			session->fds[count++] = (struct pollfd){ .fd = fds[f], .events = POLLIN };
	}
	(void)poll(session->fds, count, TICK_MS); /* what is ready is found out below, one by one */
}

static bool has_ended(const struct kc_worker *worker)
{
	struct pollfd ended = { .fd = worker->pidfd, .events = POLLIN };

	return poll(&ended, 1, 0) == 1;
}

/* A red one, as often as that is asked for. */
static bool is_tried_again(const struct session *session, struct slot *slot, struct kc_result *result)
{
	bool is_red = result->verdict == KC_FAIL || result->verdict == KC_BROKEN;

	if (!is_red || slot->retried == session->scheduler->retries)
		return false;
	if (slot->retried++)
		kc_result_add_attempt(result, &slot->earlier);
	kc_result_release(&slot->earlier);
	kc_result_copy(&slot->earlier, result);
	return true;
}

static void finish_run(struct session *session, unsigned int number)
{
	struct slot *slot = &session->slots[number];
	struct kc_result result;

	kc_result_init(&result);
	kc_worker_finish(&session->workers[number], &result);
	leave_scratch(session, slot, &result);
	session->running--;
	lane_of(session, slot->index)->running--;
	if (is_tried_again(session, slot, &result)) {
		kc_result_release(&result);
		start_run(session, number);
		return;
	}
	kc_repeat_add(&slot->repeat, &result);
	kc_result_release(&result);
	if (slot->repeat.count < session->plan->cases[slot->index].repeat)
		start_run(session, number);
	else
		record_runs(session, slot);
}

static void attend(struct session *session)
{
	int64_t now_ms = kc_now_ms();

	for (unsigned int i = 0; i < session->slot_count; i++) {
		struct kc_worker *worker = &session->workers[i];

		if (!worker->pid)
			continue;
		kc_worker_drain(worker);
		if (now_ms >= worker->guard_ms && !has_ended(worker))
			kc_worker_stop(worker, true);
		if (worker->timed_out || has_ended(worker))
			finish_run(session, i);
	}
}

/* Killed all at once, then waited for: dying may take each of them a while. */
static void abandon(struct session *session)
{
	for (unsigned int i = 0; i < session->slot_count; i++)
		kc_worker_stop(&session->workers[i], false);
	for (unsigned int i = 0; i < session->slot_count; i++) {
		struct kc_result ignored;

		if (!session->workers[i].pid)
			continue;
		kc_repeat_release(&session->slots[i].repeat);
		kc_result_release(&session->slots[i].earlier);
		kc_result_init(&ignored);
		kc_worker_finish(&session->workers[i], NULL);
		leave_scratch(session, &session->slots[i], &ignored);
		kc_result_release(&ignored);
	}
}

static int run_cases(struct session *session, struct kc_error *err)
{
	int status;

	for (;;) {
		status = kc_signals_check(err);
		if (status < 0) {
			abandon(session);
			return status;
		}
		start_cases(session);
		if (session->running == 0 && is_all_started(session))
			break;
		wait_for_workers(session);
		attend(session);
		tick(session);
	}
	if (session->reported != session->plan->count)
		return kc_error_set(err, EPROTO, "run the cases: %zu planned, %zu reported",
				    session->plan->count, session->reported);
	return 0;
}

static int begin_reports(const struct kc_scheduler *scheduler, const struct kc_report_run *run,
			 size_t *ret_begun, struct kc_error *err)
{
	for (size_t i = 0; i < scheduler->report_count; i++) {
		struct kc_report *report = scheduler->reports[i];
		int status = report->ops->begin(report, run, err);

		if (status < 0)
			return status;
		*ret_begun = i + 1;
	}
	return 0;
}

/* Every report gets its end; the first failure is the one to report. */
static int end_reports(const struct kc_scheduler *scheduler, size_t begun, int status, struct kc_error *err)
{
	bool complete = status == 0;

	for (size_t i = 0; i < begun; i++) {
		struct kc_report *report = scheduler->reports[i];
		struct kc_error failure = { 0 };
		int ended = report->ops->end(report, complete, &failure);

		if (ended < 0 && status == 0) {
			status = ended;
			if (err)
				*err = failure;
		}
	}
	return status;
}

static int run_session(struct session *session, struct kc_error *err)
{
	struct kc_orphans orphans;
	int status;

	session->workers = calloc(session->slot_count, sizeof(*session->workers));
	session->slots = calloc(session->slot_count, sizeof(*session->slots));
	session->fds = calloc(1 + FDS_PER_WORKER * (size_t)session->slot_count, sizeof(*session->fds));
	if (!session->workers || !session->slots || !session->fds)
		return kc_error_errno(err, ENOMEM, "run the cases");
	status = kc_orphans_adopt(&orphans, err);
	if (status < 0)
		return status;
	status = run_cases(session, err);
	kc_orphans_end(&orphans);
	return status;
}

static void prepare_lanes(struct session *session)
{
	const struct kc_scheduler *scheduler = session->scheduler;

	session->lanes[WORKING].most = scheduler->jobs ? scheduler->jobs : default_jobs();
	session->lanes[WAITING].most = KC_SCHEDULER_WAITING;
	for (int i = 0; i < LANES; i++) {
		seek(session, &session->lanes[i]);
		session->slot_count += session->lanes[i].most;
	}
}

int kc_scheduler_run(const struct kc_scheduler *scheduler, const struct kc_plan *plan,
		     const struct kc_report_run *run, struct kc_tally *ret_tally, struct kc_error *err)
{
	struct session session = { .scheduler = scheduler, .plan = plan, .last_tick_ms = kc_now_ms() };
	size_t begun = 0;
	int status = begin_reports(scheduler, run, &begun, err);

	prepare_lanes(&session);
	if (status == 0)
		status = run_session(&session, err);
	status = end_reports(scheduler, begun, status, err);
	free(session.workers);
	free(session.slots);
	free(session.fds);
	*ret_tally = session.tally;
	return status;
}
