/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/aodh_private.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"

#define ROW_MAX (1u << 20)

void aodh_entry_free(void *entry)
{
    struct aodh_entry *n = entry;
    for (unsigned i = 0; i < n->n_queue; i++)
        free(n->queue[i].body);
    hale_aodh_free(n->a);
    free(n->reason);
    free(n);
}

/* --- Redis --------------------------------------------------------------------------- */

void aodh_row_write(struct actuator_aodh *x, const struct aodh_entry *n)
{
    struct hale_buf b;
    hale_buf_init(&b, ROW_MAX);
    hale_buf_printf(&b, "{\"v\":1,\"state\":\"%s\",\"since_ms\":%lld,\"reason\":",
                    hale_aodh_state_text(n->state), (long long)n->since_ms);
    hale_buf_add_json(&b, hale_str_from(n->reason));
    hale_buf_add_c(&b, ",\"source\":");
    hale_buf_add_json(&b, hale_str_from(n->source));
    hale_buf_printf(&b, ",\"seq\":%lld,\"sub\":%lld,\"heard\":[%lld,%lld],\"queue\":[",
                    (long long)n->met.seq, (long long)n->met.sub, (long long)n->heard.seq,
                    (long long)n->heard.sub);
    for (unsigned i = 0; i < n->n_queue; i++) {
        const struct aodh_item *q = &n->queue[i];
        hale_buf_printf(&b,
                        "%s{\"to\":\"%s\",\"action\":%u,\"seq\":%lld,\"time_ms\":%lld,"
                        "\"body\":",
                        i > 0 ? "," : "", hale_aodh_state_text(q->to), q->action,
                        (long long)q->seq, (long long)q->time_ms);
        hale_buf_add_json(&b, hale_str_from(q->body));
        hale_buf_add_char(&b, '}');
    }
    hale_buf_add_c(&b, "]}");
    if (!b.failed)
        x->io.row(x->io.arg, n->a->id, hale_buf_str(&b));
    else
        hale_error("event=aodh_row_not_kept alarm=%s", n->a->id);
    hale_buf_fini(&b);
}

static enum hale_rc read_item(json_t *object, struct aodh_item *q)
{
    const char *to, *body;
    json_int_t time_ms, seq = 0;
    int action;
    memset(q, 0, sizeof(*q));
    if (json_unpack(object, "{s:s, s:i, s?I, s:I, s:s}", "to", &to, "action", &action,
                    "seq", &seq, "time_ms", &time_ms, "body", &body) != 0 ||
        action < 0 || hale_aodh_state_parse(hale_str_from(to), &q->to) != HALE_OK)
        return HALE_E_INVAL;
    q->action = (unsigned)action;
    q->seq = seq;
    q->time_ms = time_ms;
    q->body = strdup(body);
    return q->body != NULL ? HALE_OK : HALE_E_NOMEM;
}

static enum hale_rc read_queue(struct aodh_entry *n, const json_t *queue)
{
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0;
         rc == HALE_OK && i < json_array_size(queue) && n->n_queue < ACTUATOR_AODH_QUEUE;
         i++) {
        rc = read_item(json_array_get(queue, i), &n->queue[n->n_queue]);
        n->n_queue += rc == HALE_OK;
    }
    return rc;
}

enum hale_rc aodh_row_read(struct aodh_entry *n, struct hale_str json)
{
    const char *state, *source = "", *reason = "";
    json_int_t since, seq = 0, sub = 0, heard = 0, heard_sub = 0;
    json_t *queue = NULL;
    json_t *root = json_loadb(json.p, json.len, 0, NULL);
    enum hale_rc rc = HALE_E_INVAL;
    if (root != NULL && json_unpack(root, "{s:s, s:I, s?s, s?s, s?I, s?I, s?[I, I], s?o}",
                                    "state", &state, "since_ms", &since, "source",
                                    &source, "reason", &reason, "seq", &seq, "sub", &sub,
                                    "heard", &heard, &heard_sub, "queue", &queue) == 0)
        rc = hale_aodh_state_parse(hale_str_from(state), &n->state);
    if (rc == HALE_OK) {
        n->since_ms = since;
        n->met = (struct actuator_aodh_place){seq, sub};
        n->heard = (struct actuator_aodh_place){heard, heard_sub};
        (void)snprintf(n->source, sizeof(n->source), "%s", source);
        free(n->reason);
        n->reason = strdup(reason);
        n->known = true;
        rc = read_queue(n, queue);
    }
    json_decref(root);
    return rc;
}

/* --- the queue ----------------------------------------------------------------------- */

static void drop_item(struct aodh_entry *n, unsigned i)
{
    free(n->queue[i].body);
    n->n_queue--;
    memmove(&n->queue[i], &n->queue[i + 1], (n->n_queue - i) * sizeof(n->queue[0]));
}

static void push(struct actuator_aodh *x, struct aodh_entry *n, enum hale_state previous,
                 enum hale_state to, const struct hale_aodh_event *e, int64_t now_us)
{
    json_t *body = hale_aodh_body(n->a, previous, to, e);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_EXPIRED), 1);
        hale_error("event=aodh_notice_lost alarm=%s", n->a->id);
        return;
    }
    if (n->n_queue == ACTUATOR_AODH_QUEUE) { /* the first may be under way */
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_EXPIRED), 1);
        aodh_letter_bury_all(x, n, &n->queue[1], ACTUATOR_DEAD_LOST,
                             "too many notices of the alarm were waiting");
        drop_item(n, 1);
    }
    n->queue[n->n_queue++] = (struct aodh_item){
        .to = to, .seq = n->met.seq, .time_ms = now_us / 1000, .body = text};
}

void aodh_row_change(struct actuator_aodh *x, struct aodh_entry *n, enum hale_state to,
                     const struct hale_aodh_event *e, int64_t now_us)
{
    enum hale_state previous = n->state;
    n->state = to;
    n->since_ms = now_us / 1000;
    n->known = true;
    free(n->reason);
    n->reason = e != NULL ? hale_aodh_reason(n->a, to, e) : NULL;
    if (e != NULL && json_array_size(n->a->actions[to]) > 0)
        push(x, n, previous, to, e, now_us);
    aodh_row_write(x, n);
    aodh_row_tell(x, n, now_us);
}

void aodh_row_tell(struct actuator_aodh *x, struct aodh_entry *n, int64_t now_us)
{
    if (n->n_queue == 0)
        return;
    const char *url = json_string_value(
        json_array_get(n->a->actions[n->queue[0].to], n->queue[0].action));
    if (actuator_herald_add(x->herald, n->a->id, url != NULL ? url : "", now_us) !=
        HALE_OK)
        hale_error("event=aodh_notice_delayed alarm=%s", n->a->id);
}

/* --- what the herald asks ------------------------------------------------------------- */

static bool too_old(struct actuator_aodh *x, const struct aodh_entry *n)
{
    if (hale_clock_wall_ms() - n->queue[0].time_ms <= x->conf->notify_max_age_ms)
        return false;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_EXPIRED), 1);
    aodh_letter_bury_all(x, n, &n->queue[0], ACTUATOR_DEAD_EXPIRED,
                         "not taken within notify_max_age");
    return true;
}

bool aodh_row_next(void *arg, const char *key, struct hale_buf *url,
                   struct hale_buf *body)
{
    struct actuator_aodh *x = arg;
    struct aodh_entry *n = hale_map_get(x->entries, hale_str_from(key));
    bool popped = false;
    if (aodh_letter_is(key))
        return aodh_letter_next(x, key, url, body);
    while (n != NULL && n->n_queue > 0) {
        const struct aodh_item *q = &n->queue[0];
        const json_t *to = json_array_get(n->a->actions[q->to], q->action);
        if (to != NULL && !too_old(x, n)) {
            hale_buf_add_c(url, json_string_value(to));
            hale_buf_add_c(body, q->body);
            return true;
        }
        drop_item(n, 0);
        popped = true;
    }
    if (popped)
        aodh_row_write(x, n);
    return false;
}

void aodh_row_done(void *arg, const char *key, enum actuator_herald_end end,
                   const char *detail)
{
    struct actuator_aodh *x = arg;
    struct aodh_entry *n = hale_map_get(x->entries, hale_str_from(key));
    if (aodh_letter_is(key)) {
        aodh_letter_done(x, key, end);
        return;
    }
    if (n == NULL || n->n_queue == 0)
        return;
    struct aodh_item *q = &n->queue[0];
    q->tries++;
    if (end == ACTUATOR_HERALD_FAILED)
        return;
    if (end != ACTUATOR_HERALD_TAKEN)
        aodh_letter_bury(x, n, q,
                         end == ACTUATOR_HERALD_DENIED ? ACTUATOR_DEAD_DENIED
                                                       : ACTUATOR_DEAD_REFUSED,
                         detail);
    q->tries = 0;
    if (++q->action >= json_array_size(n->a->actions[q->to]))
        drop_item(n, 0);
    aodh_row_write(x, n);
}
