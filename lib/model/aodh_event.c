/* SPDX-License-Identifier: Apache-2.0 */
/* aodh - the events of a VM against an alarm's rule, and what its notifier says (aodh.h). */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/aodh.h"
#include "model/notifier.h"

static const char *condition(const json_t *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c, key));
    return text != NULL ? text : "";
}

/* The trait's name: Aodh's fields are traits.<name>. */
static const char *trait_of(const json_t *c)
{
    const char *field = condition(c, "field");
    return strncmp(field, "traits.", 7) == 0 ? field + 7 : field;
}

const char *hale_aodh_instance(const struct hale_aodh *a)
{
    for (size_t i = 0; i < json_array_size(a->query); i++) {
        const json_t *c = json_array_get(a->query, i);
        const char *type = condition(c, "type");
        if (strcmp(trait_of(c), "instance_id") == 0 &&
            strcmp(condition(c, "op"), "eq") == 0 &&
            (*type == '\0' || strcmp(type, "string") == 0))
            return condition(c, "value");
    }
    return NULL;
}

static int order_f(double a, double b)
{
    return (a > b) - (a < b);
}

/* False: they cannot be compared. */
static bool compare(const char *type, const char *a, const char *b, int *out)
{
    double x, y;
    int64_t s, t;
    if (strcmp(type, "integer") == 0 || strcmp(type, "float") == 0) {
        if (hale_str_double(hale_str_from(a), &x) != HALE_OK ||
            hale_str_double(hale_str_from(b), &y) != HALE_OK)
            return false;
        *out = order_f(x, y);
        return true;
    }
    if (strcmp(type, "datetime") == 0) {
        if (hale_clock_parse_iso(hale_str_from(a), &s) != HALE_OK ||
            hale_clock_parse_iso(hale_str_from(b), &t) != HALE_OK)
            return false;
        *out = (s > t) - (s < t);
        return true;
    }
    *out = strcmp(type, "boolean") == 0 ? strcasecmp(a, b) : strcmp(a, b);
    return true;
}

static bool holds(const json_t *c, const json_t *traits)
{
    const char *op = condition(c, "op");
    const char *have = json_string_value(json_object_get(traits, trait_of(c)));
    int order;
    if (have == NULL ||
        !compare(condition(c, "type"), have, condition(c, "value"), &order))
        return strcmp(op, "ne") == 0;
    switch (op[0]) {
    case 'e': return order == 0;
    case 'n': return order != 0;
    case 'l': return op[1] == 't' ? order < 0 : order <= 0;
    default: return op[1] == 't' ? order > 0 : order >= 0;
    }
}

bool hale_aodh_matches(const struct hale_aodh *a, const char *event_type,
                       const json_t *traits)
{
    if (fnmatch(a->event_type, event_type, 0) != 0)
        return false;
    for (size_t i = 0; i < json_array_size(a->query); i++)
        if (!holds(json_array_get(a->query, i), traits))
            return false;
    return true;
}

/* --- what is told -------------------------------------------------------------------- */

char *hale_aodh_reason(const struct hale_aodh *a, enum hale_state current,
                       const struct hale_aodh_event *e)
{
    char *query = json_dumps(a->query, JSON_SORT_KEYS | JSON_ENSURE_ASCII); /* Aodh's */
    char *text = NULL;
    if (query != NULL &&
        asprintf(&text,
                 "Event <id=%s,event_type=%s> %s the query "
                 "<query=%s>.",
                 e->message_id, e->type,
                 current == HALE_STATE_OK ? "ends what hit" : "hits", query) < 0)
        text = NULL;
    free(query);
    return text;
}

/* The first HALE_AODH_TRAIT_MAX characters. */
static size_t cropped(const char *text)
{
    size_t chars = 0, i = 0;
    for (; text[i] != '\0'; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && chars++ == HALE_AODH_TRAIT_MAX)
            break;
    return i;
}

static json_t *triples(json_t *traits)
{
    json_t *list = json_array(), *value;
    const char *name;
    json_object_foreach (traits, name, value) {
        const char *text = json_string_value(value);
        if (json_array_append_new(
                list, json_pack("[s, i, s%]", name, 1, text, cropped(text))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *hale_aodh_body(const struct hale_aodh *a, enum hale_state previous,
                       enum hale_state current, const struct hale_aodh_event *e)
{
    char generated[HALE_CLOCK_ISO_MAX];
    if (a->faults != NULL)
        return hale_notifier_body(a, e);
    char *reason = hale_aodh_reason(a, current, e);
    if (reason == NULL)
        return NULL;
    (void)hale_clock_iso_ms(e->time_ms, generated);
    generated[strcspn(generated, "Z")] = '\0';
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:{s:s, s:s, s:s, s:o, s:{}}}}",
        "alarm_name", a->name, "alarm_id", a->id, "severity",
        hale_aodh_severity_text(a->severity), "previous", hale_aodh_state_text(previous),
        "current", hale_aodh_state_text(current), "reason", reason, "reason_data", "type",
        "event", "event", "message_id", e->message_id, "event_type", e->type, "generated",
        generated, "traits", triples(e->traits), "raw");
    free(reason);
    return body;
}
