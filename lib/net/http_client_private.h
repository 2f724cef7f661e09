/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_CLIENT_PRIVATE_H
#define HALE_NET_HTTP_CLIENT_PRIVATE_H
/*
 * http_client_private - what http_client.c (the loop) and http_call.c (building one call, reading
 * its answer), http_mail.c (the same for a letter) share. Only these include libcurl.
 */
#include <curl/curl.h>

#include "net/http_client.h"

#define HALE_HTTP_CLIENT_MAGIC 0x477ec101u
#define HALE_HTTP_JOB_MAGIC    0x477ec102u
#define HALE_HTTP_SHAPE_MAX    8192
#define HALE_HTTP_HANDLES_KEPT                                                           \
    256 /* finished jobs, with their curl handles, kept for the next calls */

struct hale_http_job {
    unsigned magic;
    uint64_t id;
    struct hale_http_client *client;
    CURL *easy;
    hale_http_done done;
    void *arg;
    struct hale_buf shape;      /* what easy stays prepared for; empty: for nothing */
    struct curl_slist *headers; /* one block with its text */
    char *request;              /* copy of the body */
    size_t request_len, request_at;
    struct hale_buf body;
    struct hale_buf head;
    bool too_large; /* a ceiling cut the response */
    bool bad_url;
    bool denied; /* the address is one that may not be called */
    struct curl_slist *rcpt;
    int64_t start_us; /* monotonic */
    char error[CURL_ERROR_SIZE];
    struct hale_http_job *prev, *next;
};

struct hale_http_client {
    unsigned magic;
    CURLM *multi;
    unsigned max_calls, active;
    uint64_t ids;
    struct hale_http_job *calls;
    struct hale_http_job
        *idle[HALE_HTTP_HANDLES_KEPT]; /* prepared or reset, the oldest first */
    unsigned n_idle;
    struct hale_buf shape; /* of the call that is being made */
    struct pollfd *fds;    /* curl's sockets; room for fds_cap and extras */
    unsigned n_fds, fds_cap;
    struct pollfd *wait; /* scratch for one poll: extras, then fds */
    unsigned wait_cap;
    int64_t timer_at_ms; /* curl's timer, monotonic; -1 = none */
    bool no_memory;      /* a socket could not be watched */
    bool in_poll;
};

/* A curl handle ready to be added. HALE_E_INVAL: method or header cannot be sent. */
HALE_MUST_CHECK enum hale_rc hale_http_job_new(struct hale_http_client *c,
                                               const struct hale_http_call *from,
                                               struct hale_http_job **out);
/* An empty job whose curl handle has no option set, NULL on memory failure. */
struct hale_http_job *hale_http_job_blank(struct hale_http_client *c,
                                          size_t max_response);
/* curl's read function over the job's request. */
size_t hale_http_job_read(char *dst, size_t size, size_t n, void *job);
bool hale_http_job_copy(struct hale_http_job *call, struct hale_str body);
/* Hands the job to curl; frees it on failure. */
HALE_MUST_CHECK enum hale_rc hale_http_job_start(struct hale_http_client *c,
                                                 struct hale_http_job *call,
                                                 hale_http_done done, void *arg,
                                                 uint64_t *id_out);
/* Keeps the job for another call, or frees it. It must not be in the multi handle any more. */
void hale_http_job_free(struct hale_http_job *call);
void hale_http_job_drop_idle(struct hale_http_client *c); /* all of them */
#endif
