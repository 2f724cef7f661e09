/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/varbinds.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

#define HEAD_BYTES    50 /* sysUpTime and snmpTrapOID with their names */
#define BINDING_BYTES 22 /* name, tags and lengths of one */
#define LONG_BYTES    4  /* more for lengths above 100 */
#define NUMBER_BYTES  ((size_t)9)
#define CUT_BYTES     3

/* Numbers of HALE-MIB: a number that was given stays. */
enum notification { RAISED = 1, CHANGED = 2, CLEARED = 3 };
enum object {
    NOTIFICATION_ID = 1,
    SEQUENCE,
    ALARM_ID,
    DEFINITION_ID,
    NAME,
    DESCRIPTION,
    TENANT,
    PERCEIVED_SEVERITY,
    SEVERITY,
    EVENT_TYPE,
    PROBABLE_CAUSE,
    SOURCE,
    DIMENSIONS,
    STATE,
    OLD_STATE,
    REASON,
    TIME,
    CREATED,
    SOURCE_TYPE, /* from here on: only when there is something */
    ONSET,
    ROOT_CAUSE,
    ROOT_ENTITY,
    SYMPTOMS,
    AFFECTED,
    LIFECYCLE_STATE,
    LINK
};

/* ItuPerceivedSeverity, IANAItuEventType, IANAItuProbableCause of RFC 3877. */
enum {
    ITU_CLEARED = 1,
    ITU_INDETERMINATE,
    ITU_CRITICAL,
    ITU_MAJOR,
    ITU_MINOR,
    ITU_WARNING
};
enum {
    OTHER = 1,
    COMMUNICATIONS,
    QUALITY_OF_SERVICE,
    PROCESSING,
    EQUIPMENT,
    ENVIRONMENTAL
};
enum {
    FAN_FAILURE = 107,
    DISK_FAILURE = 73,
    COMMUNICATIONS_FAILURE = 505,
    EQUIPMENT_MALFUNCTION = 514,
    PERFORMANCE_DEGRADED = 532,
    POWER_PROBLEMS = 533,
    SOFTWARE_ERROR = 546,
    TEMPERATURE = 548,
    THRESHOLD_CROSSED = 549,
    RESOURCE_UNAVAILABLE = 554,
    CAUSE_OTHER = 1024
};

static const char CUT[CUT_BYTES] = {'\xe2', '\x80', '\xa6'}; /* … */
static const char TYPES[] = {[ACTUATOR_VAR_INTEGER] = 'i',
                             [ACTUATOR_VAR_GAUGE] = 'g',
                             [ACTUATOR_VAR_COUNTER] = 'c',
                             [ACTUATOR_VAR_TEXT] = 's',
                             [ACTUATOR_VAR_DATE] = 'd'};

struct list {
    struct actuator_varbind v[ACTUATOR_VARBINDS_MAX];
    unsigned n;
    size_t bytes;
};

/* --- what an alarm is, in X.733's words ---------------------------------------------- */

static bool is_over(const struct hale_log_record *rec)
{
    return rec->alarm.state == HALE_STATE_OK || rec->kind == HALE_ALARM_DELETED;
}

static enum notification notification_of(const struct hale_log_record *rec)
{
    if (is_over(rec))
        return CLEARED;
    return rec->alarm.state == HALE_STATE_UNDETERMINED ||
                   (rec->old_state == HALE_STATE_ALARM && rec->kind != HALE_ALARM_CREATED)
               ? CHANGED
               : RAISED;
}

static int perceived_severity(const struct hale_log_record *rec)
{
    if (is_over(rec))
        return ITU_CLEARED;
    if (rec->alarm.state == HALE_STATE_UNDETERMINED)
        return ITU_INDETERMINATE;
    switch (rec->alarm.severity) {
    case HALE_SEV_LOW: return ITU_WARNING;
    case HALE_SEV_MEDIUM: return ITU_MINOR;
    case HALE_SEV_HIGH: return ITU_MAJOR;
    case HALE_SEV_CRITICAL: return ITU_CRITICAL;
    }
    return ITU_INDETERMINATE;
}

struct class
{
    const char *prefix;
    int event_type, probable_cause;
};

/* By what our fault types and metrics begin with. */
static struct class class_of(const struct hale_alarm *a)
{
    static const struct class classes[] = {
        {"compute.host", EQUIPMENT, EQUIPMENT_MALFUNCTION},
        {"compute.", PROCESSING, RESOURCE_UNAVAILABLE},
        {"nic.", COMMUNICATIONS, COMMUNICATIONS_FAILURE},
        {"net.", QUALITY_OF_SERVICE, PERFORMANCE_DEGRADED},
        {"disk.", EQUIPMENT, DISK_FAILURE},
        {"power", ENVIRONMENTAL, POWER_PROBLEMS},
        {"fan", ENVIRONMENTAL, FAN_FAILURE},
        {"temperature", ENVIRONMENTAL, TEMPERATURE},
        {"service.", PROCESSING, SOFTWARE_ERROR}};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(a->definition_name, classes[i].prefix, strlen(classes[i].prefix)) ==
            0)
            return classes[i];
    return a->from_event ? (struct class){"", OTHER, CAUSE_OTHER}
                         : (struct class){"", QUALITY_OF_SERVICE, THRESHOLD_CROSSED};
}

/* --- the list ------------------------------------------------------------------------- */

static void add_number(struct list *l, enum object object, enum actuator_vartype type,
                       int64_t number)
{
    l->v[l->n++] = (struct actuator_varbind){object, type, number, {NULL, 0}};
    l->bytes += BINDING_BYTES +
                (type == ACTUATOR_VAR_DATE ? (size_t)ACTUATOR_DATE_BYTES : NUMBER_BYTES);
}

static bool is_control(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    return n == 1 ? u[0] < ' ' || u[0] == 0x7f : n == 2 && u[0] == 0xc2 && u[1] < 0xa0;
}

/* Cuts the text to max bytes, with a sign. */
static void cut(struct actuator_varbind *v, size_t max)
{
    char *p = (char *)(uintptr_t)v->text.p; /* ours: of add_text */
    size_t n = max >= CUT_BYTES ? max - CUT_BYTES : 0;
    if (v->text.len <= max)
        return;
    while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
        n--;
    if (max >= CUT_BYTES)
        memcpy(p + n, CUT, CUT_BYTES);
    v->text.len = max >= CUT_BYTES ? n + CUT_BYTES : 0;
}

static size_t text_bytes(const struct actuator_varbind *v)
{
    return BINDING_BYTES + v->text.len + (v->text.len > 100 ? LONG_BYTES : 0);
}

/* text NULL: nothing is added. What is no UTF-8 becomes a question mark. */
static bool add_text(struct list *l, enum object object, const char *text, size_t max)
{
    size_t len = text != NULL ? strlen(text) : 0, at = 0;
    if (text == NULL)
        return true;
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < len;) {
        size_t step = hale_utf8_step(text + i, len - i);
        if (step == 0 || is_control(text + i, step)) {
            copy[at++] = step == 0 ? '?' : ' ';
        } else {
            memcpy(copy + at, text + i, step);
            at += step;
        }
        i += step > 0 ? step : 1;
    }
    struct actuator_varbind *v = &l->v[l->n++];
    *v = (struct actuator_varbind){object, ACTUATOR_VAR_TEXT, 0, {copy, at}};
    cut(v, max);
    l->bytes += text_bytes(v);
    return true;
}

/* What is least missed goes first, until all fits. */
static void fit(struct list *l)
{
    static const struct {
        enum object object;
        size_t floor;
    } steps[] = {{DESCRIPTION, 0}, {DIMENSIONS, 64},    {REASON, 160},    {LINK, 0},
                 {NAME, 48},       {SOURCE, 48},        {ROOT_ENTITY, 0}, {REASON, 96},
                 {DIMENSIONS, 32}, {LIFECYCLE_STATE, 0}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        for (unsigned k = 0; k < l->n && l->bytes > ACTUATOR_VARBINDS_BYTES; k++) {
            struct actuator_varbind *v = &l->v[k];
            size_t over = l->bytes - ACTUATOR_VARBINDS_BYTES, was = v->text.len;
            if (v->object != steps[i].object || was <= steps[i].floor)
                continue;
            l->bytes -= text_bytes(v);
            cut(v, was - steps[i].floor > over ? was - over : steps[i].floor);
            l->bytes += text_bytes(v);
        }
}

/* --- an alarm -------------------------------------------------------------------------- */

static bool add_reference(struct list *l, enum object object, const json_t *ref)
{
    const char *type = json_string_value(json_object_get(ref, "type"));
    const char *id = json_string_value(json_object_get(ref, "id"));
    char text[256];
    if (type == NULL || id == NULL)
        return true;
    (void)snprintf(text, sizeof(text), "%.60s/%.190s", type, id);
    return add_text(l, object, text, 96);
}

static bool add_life(struct list *l, const json_t *life)
{
    const json_t *affected = json_object_get(json_object_get(life, "affected"), "count");
    const json_t *onset = json_object_get(life, "onset_ms");
    const json_t *symptoms = json_object_get(life, "symptoms");
    const json_t *cause = json_array_get(json_object_get(life, "causes"), 0);
    const json_t *type = json_object_get(json_object_get(life, "entity"), "type");
    bool ok = add_text(l, SOURCE_TYPE, json_string_value(type), 16);
    if (json_is_integer(onset))
        add_number(l, ONSET, ACTUATOR_VAR_DATE, json_integer_value(onset));
    ok = ok && add_text(l, ROOT_CAUSE, json_string_value(cause), 40) &&
         add_reference(l, ROOT_ENTITY, json_object_get(life, "root_entity"));
    if (json_is_integer(symptoms))
        add_number(l, SYMPTOMS, ACTUATOR_VAR_GAUGE, json_integer_value(symptoms));
    if (json_is_integer(affected))
        add_number(l, AFFECTED, ACTUATOR_VAR_GAUGE, json_integer_value(affected));
    return ok;
}

static bool add_all(struct list *l, const struct actuator_profile_note *n,
                    const char *dimensions)
{
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    const struct class class = class_of(a);
    bool ok = add_text(l, NOTIFICATION_ID, n->id, 36);
    add_number(l, SEQUENCE, ACTUATOR_VAR_COUNTER, rec->seq);
    ok = ok && add_text(l, ALARM_ID, a->id, 40) &&
         add_text(l, DEFINITION_ID, a->definition_id, 96) &&
         add_text(l, NAME, a->definition_name, 255) &&
         add_text(l, DESCRIPTION, a->description, 255) &&
         add_text(l, TENANT, a->tenant, 64);
    add_number(l, PERCEIVED_SEVERITY, ACTUATOR_VAR_INTEGER, perceived_severity(rec));
    add_number(l, SEVERITY, ACTUATOR_VAR_INTEGER, (int)a->severity + 1);
    add_number(l, EVENT_TYPE, ACTUATOR_VAR_INTEGER, class.event_type);
    add_number(l, PROBABLE_CAUSE, ACTUATOR_VAR_INTEGER, class.probable_cause);
    ok = ok && add_text(l, SOURCE, actuator_profile_source(a), 255) &&
         add_text(l, DIMENSIONS, dimensions, 255);
    add_number(l, STATE, ACTUATOR_VAR_INTEGER, (int)a->state + 1);
    add_number(l, OLD_STATE, ACTUATOR_VAR_INTEGER, (int)rec->old_state + 1);
    ok = ok && add_text(l, REASON, a->reason, 1024);
    add_number(l, TIME, ACTUATOR_VAR_DATE, rec->time_ms);
    add_number(l, CREATED, ACTUATOR_VAR_DATE, a->created_ms);
    return ok && add_life(l, a->life) &&
           add_text(l, LIFECYCLE_STATE, a->lifecycle_state, 50) &&
           add_text(l, LINK, a->link, 255);
}

static void write_list(const struct list *l, enum notification notification,
                       struct hale_buf *out)
{
    hale_buf_printf(out, "{\"notification\":%d,\"vars\":[", (int)notification);
    for (unsigned i = 0; i < l->n; i++) {
        const struct actuator_varbind *v = &l->v[i];
        hale_buf_printf(out, "%s[%u,\"%c\",", i > 0 ? "," : "", v->object,
                        TYPES[v->type]);
        if (v->type == ACTUATOR_VAR_TEXT)
            hale_buf_add_json(out, v->text);
        else
            hale_buf_printf(out, "%lld", (long long)v->number);
        hale_buf_add_char(out, ']');
    }
    hale_buf_add_c(out, "]}");
}

enum hale_rc actuator_varbinds_write(const struct actuator_profile_note *n,
                                     struct hale_buf *out)
{
    struct list l = {.n = 0, .bytes = HEAD_BYTES};
    char *dimensions = json_dumps(n->rec->alarm.group, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok = add_all(&l, n, dimensions != NULL ? dimensions : "{}");
    free(dimensions);
    fit(&l);
    if (ok)
        write_list(&l, notification_of(n->rec), out);
    for (unsigned i = 0; i < l.n; i++)
        free((char *)(uintptr_t)l.v[i].text.p);
    return ok ? HALE_OK : HALE_E_NOMEM;
}

/* --- and back --------------------------------------------------------------------------- */

static bool read_one(const json_t *item, struct actuator_varbind *v)
{
    const json_t *object = json_array_get(item, 0), *value = json_array_get(item, 2);
    const char *type = json_string_value(json_array_get(item, 1));
    const char *at =
        type != NULL && type[0] != '\0' ? memchr(TYPES, type[0], sizeof(TYPES)) : NULL;
    if (at == NULL || !json_is_integer(object))
        return false;
    *v = (struct actuator_varbind){.object = (unsigned)json_integer_value(object),
                                   .type = (enum actuator_vartype)(at - TYPES)};
    if (v->type != ACTUATOR_VAR_TEXT) {
        v->number = json_integer_value(value);
        return json_is_integer(value);
    }
    v->text = (struct hale_str){json_string_value(value), json_string_length(value)};
    return json_is_string(value);
}

enum hale_rc actuator_varbinds_read(struct hale_str body, struct actuator_varbinds *out)
{
    *out = (struct actuator_varbinds){.root = json_loadb(body.p, body.len, 0, NULL)};
    const json_t *vars = json_object_get(out->root, "vars");
    bool ok = json_is_array(vars) && json_array_size(vars) <= ACTUATOR_VARBINDS_MAX;
    out->notification =
        (unsigned)json_integer_value(json_object_get(out->root, "notification"));
    for (size_t i = 0; ok && i < json_array_size(vars); i++)
        ok = read_one(json_array_get(vars, i), &out->v[out->n++]);
    if (ok && out->notification > 0)
        return HALE_OK;
    actuator_varbinds_fini(out);
    return HALE_E_INVAL;
}

void actuator_varbinds_fini(struct actuator_varbinds *v)
{
    json_decref(v->root);
    v->root = NULL;
    v->n = 0;
}

void actuator_varbinds_date(int64_t wall_ms, unsigned char dst[ACTUATOR_DATE_BYTES])
{
    struct tm tm = {0};
    time_t seconds = (time_t)(wall_ms / 1000);
    (void)gmtime_r(&seconds, &tm);
    unsigned year = (unsigned)(tm.tm_year + 1900);
    const unsigned char bytes[ACTUATOR_DATE_BYTES] = {
        (unsigned char)(year >> 8),
        (unsigned char)year,
        (unsigned char)(tm.tm_mon + 1),
        (unsigned char)tm.tm_mday,
        (unsigned char)tm.tm_hour,
        (unsigned char)tm.tm_min,
        (unsigned char)tm.tm_sec,
        (unsigned char)(wall_ms % 1000 / 100),
        '+',
        0,
        0};
    memcpy(dst, bytes, sizeof(bytes));
}
