#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "net/registry_internal.h"
#include "sys/time.h"

enum {
	WORKERS = 3,
	LOOK_EVERY_MS = 100, /* how often the caller's callbacks are called */
};

struct pool;

struct worker {
	struct pool *pool;
	struct kc_registry *registry; /* of its own: an object belongs to one thread */
	pthread_t thread;
	int64_t done; /* bytes of the blob under way; under the pool's lock */
};

/* What the workers and the caller's thread share, all of it under `lock`. */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a worker has ended */
	const char *name;	/* of the image */
	const struct kc_registry_blob *blobs;
	size_t count, next;
	int64_t finished, total; /* bytes */
	int running;
	bool is_stopped;
	int status; /* of the first failure */
	struct kc_error err;
	struct worker workers[WORKERS];
	size_t started;
};

static bool is_stopped(void *context)
{
	struct worker *worker = context;
	bool stopped;

	(void)pthread_mutex_lock(&worker->pool->lock);
	stopped = worker->pool->is_stopped;
	(void)pthread_mutex_unlock(&worker->pool->lock);
	return stopped;
}

static void note_progress(void *context, int64_t done, int64_t total)
{
	struct worker *worker = context;

	(void)total; /* known beforehand */
	(void)pthread_mutex_lock(&worker->pool->lock);
	worker->done = done;
	(void)pthread_mutex_unlock(&worker->pool->lock);
}

/* Called with the lock held. */
static bool is_named_before(const struct pool *pool, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(pool->blobs[i].path, pool->blobs[index].path) == 0)
			return true;
	return false;
}

/* The next blob to get, NULL if there is none left. */
static const struct kc_registry_blob *take_blob(struct pool *pool)
{
	const struct kc_registry_blob *blob = NULL;

	(void)pthread_mutex_lock(&pool->lock);
	while (pool->next < pool->count && is_named_before(pool, pool->next))
		pool->next++;
	if (!pool->is_stopped && pool->next < pool->count)
		blob = &pool->blobs[pool->next++];
	(void)pthread_mutex_unlock(&pool->lock);
	return blob;
}

/* The first failure stops everybody. */
static void note_failure(struct pool *pool, int status, const struct kc_error *err)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->is_stopped = true;
	if (pool->status == 0) {
		pool->status = status;
		pool->err = *err;
	}
	(void)pthread_mutex_unlock(&pool->lock);
}

static void note_finished(struct worker *worker, const struct kc_registry_blob *blob)
{
	(void)pthread_mutex_lock(&worker->pool->lock);
	worker->pool->finished += blob->size;
	worker->done = 0;
	(void)pthread_mutex_unlock(&worker->pool->lock);
}

static void count_running(struct pool *pool, int change)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->running += change;
	(void)pthread_cond_signal(&pool->changed);
	(void)pthread_mutex_unlock(&pool->lock);
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct pool *pool = worker->pool;
	const struct kc_registry_blob *blob;

	while ((blob = take_blob(pool))) {
		struct kc_error err = { 0 };
		int status =
			kc_registry_get_blob(worker->registry, blob->digest, blob->size, blob->path, &err);

		if (status == 0)
			note_finished(worker, blob);
		else
			note_failure(pool, status, &err);
	}
	count_running(pool, -1);
	return NULL;
}

/* A registry object like `registry`, with its token and connections of its own, that reports to the worker. */
static int clone_registry(const struct kc_registry *registry, struct worker *worker, struct kc_error *err)
{
	KC_CLEANUP_REGISTRY struct kc_registry *clone = malloc(sizeof(*clone));
	int status;

	if (!clone)
		return kc_error_errno(err, ENOMEM, "pull `%s`", registry->name);
	*clone = *registry;
	clone->http = (struct kc_http){ 0 };
	clone->token = registry->token ? strdup(registry->token) : NULL; /* without one it asks for its own */
	clone->options.http.is_interrupted = is_stopped;
	clone->options.http.progress = note_progress;
	clone->options.http.context = worker;
	status = kc_http_open(&clone->http, &clone->options.http, err);
	if (status == 0)
		worker->registry = KC_STEAL(clone);
	return status;
}

/* Signals are for the caller's thread, which sees that they stop everything. */
static int start_worker(struct pool *pool, const struct kc_registry *registry, struct kc_error *err)
{
	struct worker *worker = &pool->workers[pool->started];
	sigset_t all, before;
	int status;

	worker->pool = pool;
	status = clone_registry(registry, worker, err);
	if (status < 0)
		return status;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	count_running(pool, 1);
	status = pthread_create(&worker->thread, NULL, work, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (status != 0) {
		count_running(pool, -1);
		kc_registry_close(&worker->registry);
		return kc_error_errno(err, status, "pull `%s`: start a thread", registry->name);
	}
	pool->started++;
	return 0;
}

static void call_back(struct pool *pool, const struct kc_http_options *options, int64_t done)
{
	struct kc_error err = { 0 };

	if (options->progress && done)
		options->progress(options->context, done, pool->total);
	if (options->is_interrupted && options->is_interrupted(options->context))
		note_failure(pool, kc_error_set(&err, EINTR, "pull `%s`: interrupted", pool->name), &err);
}

/* Waits for a worker to end, but not for long. False once all have ended; then *ret_done is final. */
static bool wait_a_while(struct pool *pool, int64_t *ret_done)
{
	int64_t until_ms = kc_now_ms() + LOOK_EVERY_MS;
	const struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
	bool has_running;

	(void)pthread_mutex_lock(&pool->lock);
	if (pool->running)
		(void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
	has_running = pool->running > 0;
	*ret_done = pool->finished;
	for (size_t i = 0; i < pool->started; i++)
		*ret_done += pool->workers[i].done;
	(void)pthread_mutex_unlock(&pool->lock);
	return has_running;
}

static int check_blobs(struct pool *pool, struct kc_error *err)
{
	if (pool->count > KC_REGISTRY_BLOBS_MAX)
		return kc_error_set(err, E2BIG, "pull `%s`: more than %d blobs", pool->name,
				    KC_REGISTRY_BLOBS_MAX);
	for (size_t i = 0; i < pool->count; i++) {
		const struct kc_registry_blob *blob = &pool->blobs[i];

		if (blob->size < 0 || blob->size > INT64_MAX - pool->total)
			return kc_error_set(err, EINVAL, "pull `%s`: blob %zu has an impossible size",
					    pool->name, i);
		for (size_t j = 0; j < i; j++)
			if (strcmp(pool->blobs[j].path, blob->path) == 0 &&
			    strcmp(pool->blobs[j].digest, blob->digest) != 0)
				return kc_error_set(err, EINVAL, "pull `%s`: two blobs for `%s`", pool->name,
						    blob->path);
		if (!is_named_before(pool, i))
			pool->total += blob->size;
	}
	return 0;
}

/* timedwait's clock is the wall clock otherwise. */
static int init_pool(struct pool *pool, struct kc_error *err)
{
	pthread_condattr_t attributes;
	int status = pthread_condattr_init(&attributes);

	if (status == 0)
		status = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (status == 0)
		status = pthread_cond_init(&pool->changed, &attributes);
	if (status == 0)
		status = pthread_mutex_init(&pool->lock, NULL);
	return status == 0 ? 0 : kc_error_errno(err, status, "start threads");
}

static void release_pool(struct pool *pool)
{
	for (size_t i = 0; i < pool->started; i++) {
		(void)pthread_join(pool->workers[i].thread, NULL); /* fails for what is no thread only */
		kc_registry_close(&pool->workers[i].registry);
	}
	(void)pthread_cond_destroy(&pool->changed);
	(void)pthread_mutex_destroy(&pool->lock);
}

int kc_registry_get_blobs(struct kc_registry *registry, const struct kc_registry_blob *blobs, size_t count,
			  struct kc_error *err)
{
	struct pool pool = { .name = registry->name, .blobs = blobs, .count = count };
	struct kc_error failure = { 0 };
	int status = check_blobs(&pool, err);
	size_t workers = count < WORKERS ? count : WORKERS;
	int64_t done = 0;
	bool has_running;

	if (status == 0)
		status = init_pool(&pool, err);
	if (status < 0)
		return status;
	while (status == 0 && pool.started < workers)
		status = start_worker(&pool, registry, &failure);
	if (status < 0)
		note_failure(&pool, status, &failure);
	do {
		has_running = wait_a_while(&pool, &done);
		call_back(&pool, &registry->options.http, done);
	} while (has_running);
	release_pool(&pool);
	if (pool.status < 0 && err)
		*err = pool.err;
	return pool.status;
}
