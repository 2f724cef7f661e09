/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/inventory.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "actuator/access.h"
#include "actuator/answer.h"
#include "actuator/session.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/inventory.h"
#include "model/topology_body.h"
#include "store/keys.h"
#include "store/redis.h"

#define INVENTORY_PAGE     500
#define INVENTORY_REQUESTS 20000 /* of one source in one round */
#define CALL_MS            30000
#define REDIS_MS           5000
#define UPDATE_MAX         (8u << 20)
#define NAME_MAX_BYTES     (HALE_TOPOLOGY_SOURCE_MAX + 1)

struct stack { /* of Heat: its resources are asked for after the list */
    struct stack *next;
    char path[];
};
struct round { /* one source being read */
    enum hale_inventory_kind kind;
    const char *cloud;                /* "" for a VNFM */
    const struct actuator_vnfm *vnfm; /* NULL for a cloud */
    char source[NAME_MAX_BYTES];
    struct hale_inventory *inventory;
    unsigned stage, requests;
    char marker[256]; /* last id of the page, or "" */
    char *next_url;   /* of a VNFM; owned */
    struct stack *stacks;
};
struct actuator_inventory {
    const struct actuator_conf *conf;
    pthread_t thread;
    int wake; /* readable: end */
    struct hale_http_client *http;
    struct actuator_sessions *sessions;
    struct actuator_access *access;
    struct hale_redis *redis;
    struct round round;
    bool answered; /* the call under way is over, and what it said: */
    bool good;
    json_t *body;
    char *link; /* header Link, owned */
    char why[300];
    bool failing[ACTUATOR_CLOUDS_MAX * 3 +
                 ACTUATOR_VNFMS_MAX]; /* one log line per change */
};

/* --- one call ------------------------------------------------------------------------ */

static void take_answer(struct actuator_inventory *x, const struct actuator_answer *a,
                        struct hale_str link)
{
    json_error_t wrong;
    x->answered = true;
    x->good = false;
    if (a->rc != HALE_OK) {
        (void)snprintf(x->why, sizeof(x->why), "%.250s", a->error);
    } else if (a->status != 200) {
        (void)snprintf(x->why, sizeof(x->why), "status %u", a->status);
    } else if ((x->body = json_loadb(a->body.p != NULL ? a->body.p : "", a->body.len, 0,
                                     &wrong)) == NULL) {
        (void)snprintf(x->why, sizeof(x->why), "the answer is not JSON: %.200s",
                       wrong.text);
    } else {
        x->good = true;
        x->link = link.len > 0 ? strndup(link.p, link.len) : NULL;
    }
}

static void on_answer(const struct actuator_answer *a, void *arg)
{
    take_answer(arg, a, a->link);
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    const struct actuator_answer a = actuator_answer_of(r, hale_clock_wall_ms());
    take_answer(arg, &a, a.link);
}

static const char *service_of(enum hale_inventory_kind kind)
{
    switch (kind) {
    case HALE_INVENTORY_NOVA: return "compute";
    case HALE_INVENTORY_NEUTRON: return "network";
    case HALE_INVENTORY_HEAT: return "orchestration";
    case HALE_INVENTORY_SOL003: break;
    }
    return "";
}

static void start_plain(struct actuator_inventory *x, const struct actuator_request *q)
{
    static const char *const headers[] = {"Accept: application/json", "Version: 2.0.0",
                                          NULL};
    const struct hale_http_call call = {.method = "GET",
                                        .url = q->url.p,
                                        .headers = headers,
                                        .timeout_ms = CALL_MS,
                                        .max_response_bytes = UPDATE_MAX};
    struct actuator_answer a = {.rc = HALE_E_IO, .error = "the call cannot be made"};
    if (hale_http_client_start(x->http, &call, on_done, x, NULL) != HALE_OK)
        on_answer(&a, x);
}

/* False: the thread is to end. */
static bool wait_answer(struct actuator_inventory *x)
{
    struct pollfd wake = {.fd = x->wake, .events = POLLIN};
    while (!x->answered) {
        wake.revents = 0;
        if (hale_http_client_poll(x->http, &wake, 1, 1000) != HALE_OK)
            return false;
        if (wake.revents != 0)
            return false;
    }
    return true;
}

/* GET of a path below the service, or of a VNFM's address. */
static bool call(struct actuator_inventory *x, const char *path)
{
    const struct round *r = &x->round;
    struct actuator_request q = {.method = "GET",
                                 .cloud = r->cloud,
                                 .service = service_of(r->kind),
                                 .lane = ACTUATOR_NO_LANE,
                                 .auth = "",
                                 .token_file = "",
                                 .credentials =
                                     r->vnfm != NULL ? r->vnfm->credentials : "",
                                 .timeout_ms = CALL_MS};
    uint64_t id;
    hale_buf_init(&q.url, 16384);
    hale_buf_add_c(&q.url, path);
    q.headers = json_pack("{s:s, s:s}", "Accept", "application/json", "Version", "2.0.0");
    x->answered = false;
    json_decref(x->body);
    free(x->link);
    x->body = NULL;
    x->link = NULL;
    if (r->vnfm != NULL && !actuator_allow_url(&x->conf->allow, path)) {
        const struct actuator_answer denied = {.rc = HALE_E_DENIED,
                                               .error = "the host is not allowed"};
        on_answer(&denied, x);
    } else if (r->vnfm == NULL) {
        actuator_session_call(x->sessions, &q, on_answer, x, &id);
    } else if (q.credentials[0] != '\0') {
        actuator_access_call(x->access, &q, on_answer, x, &id);
    } else {
        start_plain(x, &q);
    }
    hale_buf_fini(&q.url);
    json_decref(q.headers);
    x->round.requests++;
    return wait_answer(x);
}

/* --- pages --------------------------------------------------------------------------- */

static const char *list_of(const struct round *r)
{
    if (r->kind == HALE_INVENTORY_NOVA)
        return r->stage == 0 ? "servers" : "services";
    return r->kind == HALE_INVENTORY_NEUTRON ? "ports" : "stacks";
}

static void path_of(const struct round *r, char *dst, size_t size)
{
    const char *const paths[] = {
        [HALE_INVENTORY_NOVA] = "/servers/detail?all_tenants=1&",
        [HALE_INVENTORY_NEUTRON] = "/v2.0/ports?",
        [HALE_INVENTORY_HEAT] = "/stacks?",
    };
    if (r->kind == HALE_INVENTORY_SOL003)
        (void)snprintf(dst, size, "%s", r->next_url != NULL ? r->next_url : r->vnfm->url);
    else if (r->kind == HALE_INVENTORY_NOVA && r->stage == 1)
        (void)snprintf(dst, size, "/os-services?binary=nova-compute");
    else
        (void)snprintf(dst, size, "%slimit=%d%s%s", paths[r->kind], INVENTORY_PAGE,
                       r->marker[0] != '\0' ? "&marker=" : "", r->marker);
    if (r->kind == HALE_INVENTORY_SOL003 && r->next_url == NULL)
        (void)snprintf(dst, size, "%s/vnf_instances?all_fields", r->vnfm->url);
}

/* What is asked for next; of Heat's stacks each once. */
static void next_path(struct round *r, char *dst, size_t size)
{
    struct stack *s = r->stage == 2 ? r->stacks : NULL;
    if (s == NULL) {
        path_of(r, dst, size);
        return;
    }
    (void)snprintf(dst, size, "%s", s->path);
    r->stacks = s->next;
    free(s);
}

/* Is there a page after this one? By its links, or (Heat has none) because it is full. */
static bool has_next(const struct round *r, const json_t *body)
{
    char key[32];
    const char *list = list_of(r);
    const json_t *links;
    size_t n = json_array_size(json_object_get(body, list));
    (void)snprintf(key, sizeof(key), "%s_links", list);
    links = json_object_get(body, key);
    for (size_t i = 0; i < json_array_size(links); i++) {
        const char *rel =
            json_string_value(json_object_get(json_array_get(links, i), "rel"));
        if (rel != NULL && strcmp(rel, "next") == 0)
            return true;
    }
    return r->kind == HALE_INVENTORY_HEAT && n >= INVENTORY_PAGE;
}

/* Ids go into the next path. */
static bool take_marker(struct round *r, const json_t *body)
{
    const json_t *items = json_object_get(body, list_of(r));
    size_t n = json_array_size(items);
    const char *id =
        json_string_value(json_object_get(json_array_get(items, n - 1), "id"));
    if (n == 0 || id == NULL || strlen(id) >= sizeof(r->marker) ||
        id[strspn(id, "0123456789abcdefABCDEF-")] != '\0' || strcmp(id, r->marker) == 0)
        return false;
    (void)snprintf(r->marker, sizeof(r->marker), "%s", id);
    return true;
}

/* Link: <http://...>; rel="next" of a VNFM: r->next_url, or NULL. False: it leads elsewhere, where our
 * questions and tokens have no business. */
static bool take_link(struct round *r, const char *link)
{
    const char *from = link != NULL ? strchr(link, '<') : NULL;
    const char *to = from != NULL ? strchr(from, '>') : NULL;
    const char *host = strstr(r->vnfm->url, "://");
    size_t n = host != NULL ? (size_t)(host - r->vnfm->url) + 3 : 0;
    n += strcspn(r->vnfm->url + n, "/");
    free(r->next_url);
    r->next_url = NULL;
    if (to == NULL || strstr(to, "next") == NULL)
        return true;
    from++;
    bool below = *from == '/' && from[1] != '/';
    if (!below && (strncmp(from, r->vnfm->url, n) != 0 || from[n] != '/'))
        return false;
    if (asprintf(&r->next_url, "%.*s%.*s", below ? (int)n : 0, r->vnfm->url,
                 (int)(to - from), from) < 0)
        r->next_url = NULL;
    return r->next_url != NULL;
}

static bool follow_link(struct actuator_inventory *x, bool *more)
{
    bool here = take_link(&x->round, x->link);
    *more = x->round.next_url != NULL;
    if (!here)
        (void)snprintf(x->why, sizeof(x->why), "its next page is on another server");
    return here;
}

static bool keep_stacks(struct round *r, const json_t *body)
{
    const json_t *items = json_object_get(body, "stacks");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *one = json_array_get(items, i);
        const char *name = json_string_value(json_object_get(one, "stack_name"));
        const char *id = json_string_value(json_object_get(one, "id"));
        struct stack *s;
        if (name == NULL || id == NULL)
            continue;
        size_t size = strlen(name) * 3 + strlen(id) * 3 + 32;
        struct hale_buf path;
        hale_buf_init(&path, size + 1);
        hale_buf_add_c(&path, "/stacks/");
        hale_http_quote(&path, hale_str_from(name));
        hale_buf_add_char(&path, '/');
        hale_http_quote(&path, hale_str_from(id));
        hale_buf_add_c(&path, "/resources");
        s = !path.failed ? calloc(1, sizeof(*s) + path.len + 1) : NULL;
        if (s != NULL) {
            memcpy(s->path, path.p, path.len);
            s->next = r->stacks;
            r->stacks = s;
        }
        hale_buf_fini(&path);
        if (s == NULL)
            return false;
    }
    return true;
}

static bool add_body(struct actuator_inventory *x)
{
    struct hale_err err = {0};
    if (hale_inventory_add(x->round.inventory, x->body, &err) == HALE_OK)
        return true;
    (void)snprintf(x->why, sizeof(x->why), "%.250s", err.text);
    return false;
}

/* Everything that the source has. False: abandoned (why), or the thread is to end. */
static bool read_source(struct actuator_inventory *x)
{
    struct round *r = &x->round;
    char path[2048];
    bool more = true;
    while (more) {
        if (r->requests >= INVENTORY_REQUESTS) {
            (void)snprintf(x->why, sizeof(x->why), "more than %d requests",
                           INVENTORY_REQUESTS);
            return false;
        }
        next_path(r, path, sizeof(path));
        if (!call(x, path) || !x->good || !add_body(x))
            return false;
        if (r->kind == HALE_INVENTORY_SOL003) {
            if (!follow_link(x, &more))
                return false;
            continue;
        }
        if (r->kind == HALE_INVENTORY_HEAT && r->stage == 0 && !keep_stacks(r, x->body)) {
            (void)snprintf(x->why, sizeof(x->why), "out of memory");
            return false;
        }
        if (r->stage == 0 && has_next(r, x->body)) {
            if (!take_marker(r, x->body)) {
                (void)snprintf(x->why, sizeof(x->why), "pages do not go on");
                return false;
            }
            continue;
        }
        if (r->kind == HALE_INVENTORY_HEAT) {
            r->stage = 2;
            more = r->stacks != NULL;
        } else {
            more = r->kind == HALE_INVENTORY_NOVA && r->stage++ == 0;
        }
    }
    return true;
}

/* --- what it becomes ------------------------------------------------------------------- */

static bool write_update(struct actuator_inventory *x, struct hale_topology_update *u)
{
    struct hale_buf b;
    struct hale_reply *reply = NULL;
    u->tenant = x->conf->inventory.tenant;
    u->at_ms = hale_clock_wall_ms();
    hale_buf_init(&b, UPDATE_MAX);
    enum hale_rc rc = hale_topology_update_encode(u, &b);
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(x->redis, &reply, HALE_STR("XADD"),
                            HALE_STR(HALE_KEYS_TOPOLOGY), HALE_STR("*"), HALE_STR("j"),
                            hale_buf_str(&b));
    if (rc != HALE_OK)
        (void)snprintf(x->why, sizeof(x->why), "redis: %.200s",
                       hale_redis_error(x->redis));
    hale_reply_free(reply);
    hale_buf_fini(&b);
    free(u->deleted.v);
    return rc == HALE_OK;
}

static bool write_source(struct actuator_inventory *x)
{
    struct hale_topology_body body;
    struct hale_topology_update u;
    struct hale_err err = {0};
    size_t at = 0;
    bool good = true;
    json_t *j = hale_inventory_body(x->round.inventory);
    if (j == NULL ||
        json_object_set_new(j, "source", json_string(x->round.source)) != 0) {
        json_decref(j);
        (void)snprintf(x->why, sizeof(x->why), "out of memory");
        return false;
    }
    if (hale_topology_body_read(j, &body, &err) != HALE_OK) {
        (void)snprintf(x->why, sizeof(x->why), "%.250s", err.text);
        return false;
    }
    while (good && hale_topology_body_next(&body, &at, &u))
        good = write_update(x, &u);
    hale_topology_body_fini(&body);
    if (good && at == SIZE_MAX) {
        (void)snprintf(x->why, sizeof(x->why), "out of memory");
        good = false;
    }
    return good;
}

static void round_fini(struct round *r)
{
    while (r->stacks != NULL) {
        struct stack *s = r->stacks;
        r->stacks = s->next;
        free(s);
    }
    hale_inventory_free(r->inventory);
    free(r->next_url);
}

static bool ending(const struct actuator_inventory *x)
{
    struct pollfd wake = {.fd = x->wake, .events = POLLIN};
    return poll(&wake, 1, 0) > 0;
}

static void fetch(struct actuator_inventory *x, unsigned number,
                  enum hale_inventory_kind kind, const char *cloud,
                  const struct actuator_vnfm *vnfm)
{
    char quoted[320];
    if (ending(x))
        return;
    x->round = (struct round){.kind = kind, .cloud = cloud, .vnfm = vnfm};
    (void)snprintf(x->round.source, sizeof(x->round.source), "%s:%s",
                   hale_inventory_text(kind), vnfm != NULL ? vnfm->name : cloud);
    x->round.inventory = hale_inventory_new(kind);
    (void)snprintf(x->why, sizeof(x->why), "out of memory");
    bool good = x->round.inventory != NULL && read_source(x) && write_source(x);
    round_fini(&x->round);
    if (ending(x))
        return;
    hale_counter_add(actuator_stat(good ? ACTUATOR_STAT_INVENTORY_SYNCS
                                        : ACTUATOR_STAT_INVENTORY_FAILURES),
                     1);
    if (!good && !x->failing[number])
        hale_warn("event=inventory_failed source=%s detail=%s", x->round.source,
                  hale_log_quote(x->why, quoted, sizeof(quoted)));
    else if (good && x->failing[number])
        hale_info("event=inventory_back source=%s", x->round.source);
    x->failing[number] = !good;
}

/* --- the thread -------------------------------------------------------------------------- */

static void *run(void *arg)
{
    struct actuator_inventory *x = arg;
    const struct actuator_inventory_conf *c = &x->conf->inventory;
    while (!ending(x)) {
        int64_t next_us = hale_clock_wall_us() + c->every_ms * 1000;
        for (unsigned i = 0; i < c->clouds.n; i++) {
            if (c->nova)
                fetch(x, i * 3, HALE_INVENTORY_NOVA, c->clouds.v[i], NULL);
            if (c->neutron)
                fetch(x, i * 3 + 1, HALE_INVENTORY_NEUTRON, c->clouds.v[i], NULL);
            if (c->heat)
                fetch(x, i * 3 + 2, HALE_INVENTORY_HEAT, c->clouds.v[i], NULL);
        }
        for (unsigned i = 0; i < c->n_vnfms; i++)
            fetch(x, ACTUATOR_CLOUDS_MAX * 3 + i, HALE_INVENTORY_SOL003, "", &c->vnfm[i]);
        struct pollfd wake = {.fd = x->wake, .events = POLLIN};
        int64_t left_ms = (next_us - hale_clock_wall_us()) / 1000;
        if (poll(&wake, 1, left_ms > 0 ? (int)left_ms : 0) > 0)
            break;
    }
    return NULL;
}

static void inventory_free(struct actuator_inventory *x)
{
    actuator_access_free(x->access);
    actuator_sessions_free(x->sessions);
    hale_http_client_free(x->http);
    hale_redis_free(x->redis);
    json_decref(x->body);
    free(x->link);
    if (x->wake >= 0)
        (void)close(x->wake);
    free(x);
}

struct actuator_inventory *actuator_inventory_start(const struct actuator_conf *conf)
{
    if (conf->inventory.tenant == NULL ||
        (conf->inventory.clouds.n == 0 && conf->inventory.n_vnfms == 0))
        return NULL;
    struct actuator_inventory *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    x->conf = conf;
    x->wake = eventfd(0, EFD_CLOEXEC);
    x->http = hale_http_client_new(8);
    x->sessions = x->http != NULL ? actuator_sessions_new(x->http, conf) : NULL;
    x->access = x->http != NULL ? actuator_access_new(x->http, conf) : NULL;
    x->redis = hale_redis_new(conf->redis, REDIS_MS);
    if (x->wake < 0 || x->sessions == NULL || x->access == NULL || x->redis == NULL ||
        pthread_create(&x->thread, NULL, run, x) != 0) {
        hale_error("event=inventory_not_started");
        inventory_free(x);
        return NULL;
    }
    return x;
}

void actuator_inventory_stop(struct actuator_inventory *x)
{
    uint64_t one = 1;
    if (x == NULL)
        return;
    if (write(x->wake, &one, sizeof(one)) != sizeof(one))
        hale_error("event=inventory_not_woken");
    (void)pthread_join(x->thread, NULL);
    inventory_free(x);
}
