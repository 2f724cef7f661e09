/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_API_H
#define HALE_CLI_API_H
/*
 * api - the collector as the command line sees it: one JSON call at a time.
 * Ownership: struct cli_api is the caller's value; its strings must outlive it.
 * Errors:    err->text is a sentence for a person: the server's own description where it sent one.
 * Threads:   one.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"

struct cli_api {
    const char *url;   /* "http://127.0.0.1:8070", without a slash at the end */
    const char *token; /* "" = none */
    const char *
        ca_file; /* certificates the collector's is checked against; NULL: the system's */
    int64_t timeout_ms;
    /* Set by answers that came from the archive: the coarsest step and where it ends; NULL: not
     * wanted. */
    struct cli_resolution *resolution;
};
struct cli_resolution {
    int64_t step_s; /* 0: raw samples all along */
    char until[40]; /* ISO 8601, the latest */
};

/* Calls method on path ("/v2.0/alarms?state=OK"); body may be NULL. *out gets the decoded answer
 * (NULL for an empty one); the caller decrefs it. HALE_E_IO: no answer; HALE_E_DENIED: 401;
 * HALE_E_NOTFOUND: 404; HALE_E_CONFLICT: 409; HALE_E_INVAL: other 4xx or not JSON; HALE_E_AGAIN: 5xx. */
HALE_MUST_CHECK enum hale_rc cli_api_call(const struct cli_api *api, const char *method,
                                          const char *path, const json_t *body,
                                          json_t **out, struct hale_err *err);
/* GETs a Monasca list, following its `next` links until max elements are there; *out is a new array. */
HALE_MUST_CHECK enum hale_rc cli_api_list(const struct cli_api *api, const char *path,
                                          size_t max, json_t **out, struct hale_err *err);
/* The path and query of a list's link with rel "next", valid as long as page, or NULL. */
const char *cli_api_next(const json_t *page);
/* Appends "?name=value" or "&name=value", percent-encoded; nothing when value is NULL. */
void cli_api_query(struct hale_buf *path, const char *name, const char *value);
#endif
