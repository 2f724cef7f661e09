/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SIZE_H
#define HALE_ACTUATOR_SIZE_H
/*
 * size - how many there are of what a scaling policy scales: by a query about metrics, or asked of
 * the thing itself (docs/formats/scaling.md). One question may take several requests: the caller
 * sends each, hands in its answer, and goes on until the look is over. Pure: sends nothing.
 * Size:      what is there or was ordered; `ready` is how many of them carry load.
 * Unknown:   whatever is not plainly said (no answer, an error, a thing that is not there or is
 *            being deleted, a number out of bounds) is no size; `error` says why.
 * Safety:    of an answer only numbers and names that pass actuator_item_id_ok go into a further
 *            request, never an address.
 * Limits:    ACTUATOR_SIZE_PAGES_MAX requests for one look; the HTTP client bounds each answer.
 * Ownership: a size owns its texts. Threads: immutable after loading; a look belongs to one.
 */
#include <jansson.h>

#include "actuator/lane.h"
#include "actuator/scaler.h"
#include "actuator/step.h"
#include "base/rc.h"
#include "model/yaml.h"

#define ACTUATOR_SIZE_PAGES_MAX  256
#define ACTUATOR_SIZE_TIMEOUT_MS 10000 /* one request */

enum actuator_size_kind {
    ACTUATOR_SIZE_QUERY,
    ACTUATOR_SIZE_PARAMETER, /* of a Heat stack */
    ACTUATOR_SIZE_GROUP,     /* a resource of a Heat stack that has members */
    ACTUATOR_SIZE_WORKLOAD,  /* of Kubernetes */
    ACTUATOR_SIZE_CLUSTER,   /* of Senlin */
    ACTUATOR_SIZE_ASPECT,    /* of a VNF: its scale level */
    ACTUATOR_SIZE_VDU,       /* of a VNF: instances of it */
    ACTUATOR_SIZE_SERVERS    /* of Nova */
};
struct actuator_size {
    enum actuator_size_kind kind;
    int line;    /* in the file */
    char *query; /* with ${...}; all other texts are as they go out */
    char *cloud; /* name in the configuration, of a cluster for a workload; or NULL */
    char *url;   /* VNF: root of the API, or NULL */
    char *credentials;  /* name in the configuration, or NULL */
    bool v1;            /* VNF: of its API; else v2 */
    int64_t base;       /* aspect: how many there are at level 0 */
    const char *plural; /* workload: "deployments", ...: static */
    char *space;        /* workload: namespace; NULL: the cluster's */
    char *thing;        /* stack, workload, cluster or VNF */
    char
        *part; /* parameter, resource, aspect or VDU; prefix of servers' names, or NULL */
    json_t *metadata; /* servers: object of strings, or NULL */
};
void actuator_size_fini(struct actuator_size *s);

/* map: the value of `size`; vars: an object of strings for the texts' variables but the query's. */
HALE_MUST_CHECK enum hale_rc actuator_size_read(const struct hale_yaml_node *map,
                                                const json_t *vars,
                                                struct actuator_size *out,
                                                struct hale_err *err);

struct actuator_size_look { /* of everything but a query */
    bool over, known;
    bool ready_known;
    int64_t size, ready;
    /* while it lasts: */
    unsigned requests; /* sent so far */
    char name[ACTUATOR_ITEM_ID_MAX],
        id[ACTUATOR_ITEM_ID_MAX]; /* of the stack; id: of the cluster, of the last server */
    char error[ACTUATOR_TEXT_MAX];
};
void actuator_size_begin(struct actuator_size_look *k);
/* The next request of a look that is not over; s is borrowed by it. _fini it (actuator_request_fini).
 * HALE_E_NOMEM, HALE_E_LIMIT. */
HALE_MUST_CHECK enum hale_rc actuator_size_request(const struct actuator_size *s,
                                                   const struct actuator_size_look *k,
                                                   struct actuator_request *out);
void actuator_size_answer(const struct actuator_size *s, struct actuator_size_look *k,
                          const struct actuator_answer *a);
#endif
