/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_WRITER_H
#define HALE_COLLECTOR_WRITER_H
/*
 * writer - the thread that makes samples durable. It takes the requests that wait, sends
 * their new series and then their batches to Redis in one pipeline, reads all replies and
 * only then gives the job's answer, or 503 when Redis did not confirm. Many requests share a round
 * trip (and, with appendfsync always, an fsync).
 * A series that was deleted meanwhile (catalog.h) is brought back before its samples.
 * Ownership: push takes the job when it returns HALE_OK.
 * Limits:    queue by requests and by bytes: HALE_E_LIMIT, the caller answers 503.
 */
#include "base/buf.h"
#include "collector/app.h"
#include "collector/catalog.h"

struct collector_batch { /* one stream entry */
    unsigned shard;
    bool copy; /* of a batch of shard `from` */
    unsigned from;
    struct hale_buf bytes;
};

/* What to answer once the samples are durable. */
struct collector_answer {
    unsigned status;
    const char *type;     /* NULL: no body */
    struct hale_buf body; /* owned; initialised when type is set */
};

struct collector_job {
    struct hale_http_req *req;
    struct collector_answer answer;
    unsigned n_samples;
    unsigned n_batches;
    struct collector_batch *batches;     /* owned */
    struct collector_series_list series; /* to be stored first; not confirmed yet */
    size_t bytes;
    uint64_t deaths; /* collector_catalog_deaths before the series were looked at */
    struct collector_writer_call *call; /* instead of all others */
};
void collector_job_free(struct collector_job *j);
/* Gives the answer of a job to its request. */
void collector_job_answer(struct collector_job *j);

struct collector_writer;

HALE_MUST_CHECK enum hale_rc collector_writer_start(struct collector *c,
                                                    struct collector_writer **out);
/* Writes what waits, then ends the thread. */
void collector_writer_stop(struct collector_writer *w);
HALE_MUST_CHECK enum hale_rc collector_writer_push(struct collector_writer *w,
                                                   struct collector_job *j);
/* Runs fn in the writer's thread, between two pipelines and with its connection, and waits until
 * it is through: nothing is written to the sample streams meanwhile. HALE_E_LIMIT: the queue is
 * full. HALE_E_CLOSED. Threads: those that may wait. */
HALE_MUST_CHECK enum hale_rc
collector_writer_run(struct collector_writer *w,
                     void (*fn)(struct hale_redis *redis, void *arg), void *arg);
#endif
