/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/run.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX_BYTES 4096

static const char *const STATES[] = {"open",     "verifying", "waiting",
                                     "proposed", "done",      NULL};
static const char *const PHASES[] = {"wait",  "call",   "ask",   "conflict",
                                     "poll",  "settle", "lanes", "hold",
                                     "prove", "queue",  NULL};

struct text_field {
    const char *key;
    size_t offset;
};
struct int_field {
    const char *key;
    size_t offset;
};
#define R(member) offsetof(struct actuator_run, member)
static const struct text_field TEXTS[] = {
    {"policy", R(policy)},         {"tenant", R(tenant)}, {"alarm_id", R(alarm_id)},
    {"alarm_name", R(alarm_name)}, {"target", R(target)}, {"site", R(site)}};
static const struct int_field INTS[] = {{"alarm_seq", R(alarm_seq)},
                                        {"n", R(n)},
                                        {"accepted_us", R(accepted_us)},
                                        {"logged_us", R(logged_us)},
                                        {"born_us", R(born_us)},
                                        {"verify_within_ms", R(verify_within_ms)},
                                        {"step", R(step)},
                                        {"attempt", R(attempt)},
                                        {"failures", R(failures)},
                                        {"queries", R(queries)},
                                        {"step_us", R(step_us)},
                                        {"call_us", R(call_us)},
                                        {"wake_us", R(wake_us)},
                                        {"verify_us", R(verify_us)},
                                        {"cleared_us", R(cleared_us)},
                                        {"again_us", R(again_us)}};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void actuator_run_id(const char *policy, const char *alarm_id, int64_t seq, int64_t n,
                     char dst[HALE_UUID_TEXT])
{
    struct hale_buf key;
    hale_buf_init(&key, ID_MAX_BYTES);
    hale_buf_printf(&key, "%s\n%.256s\n%lld", policy, alarm_id, (long long)seq);
    if (n > 0)
        hale_buf_printf(&key, "\n%lld", (long long)n);
    hale_id_uuid_from(key.p != NULL ? key.p : "", key.len, dst);
    hale_buf_fini(&key);
}

void actuator_run_free(struct actuator_run *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        free(*(char **)(void *)((char *)r + TEXTS[i].offset));
    free(r->follow);
    json_decref(r->vars);
    json_decref(r->plan);
    json_decref(r->verify);
    for (int i = 0; i < ACTUATOR_VERDICTS; i++)
        json_decref(r->verdict[i]);
    actuator_lanes_fini(&r->lanes);
    free(r);
}

static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* What it is made of, while it is not over. */
static bool put_plan(json_t *o, const struct actuator_run *r)
{
    bool ok = true;
    if (r->state != ACTUATOR_DONE)
        ok = json_object_set(o, "vars", r->vars) == 0;
    if (ok && r->verify != NULL)
        ok = json_object_set(o, "verify", r->verify) == 0;
    if (!ok || r->plan == NULL)
        return ok;
    ok = json_object_set(o, "plan", r->plan) == 0;
    if (ok && r->follow != NULL && r->follow[0] != '\0')
        ok = put(o, "follow", json_string(r->follow)) &&
             put(o, "follow_us", json_integer(r->follow_us));
    if (ok && r->phase == ACTUATOR_LANES)
        ok = put(o, "lanes", actuator_lanes_encode(&r->lanes));
    return ok;
}

/* Absent unless there is something to say. */
static bool put_rare(json_t *o, const struct actuator_run *r)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"version", r->version}, {"guard", r->refused}};
    const struct {
        const char *key;
        int64_t time;
    } times[] = {{"cancel_us", r->cancel_us},
                 {"expires_us", r->expires_us},
                 {"written_us", r->written_us}};
    bool ok = !actuator_run_held(r) || put(o, "held", json_true());
    for (size_t i = 0; i < COUNT(texts) && ok; i++)
        ok = texts[i].text[0] == '\0' || put(o, texts[i].key, json_string(texts[i].text));
    for (size_t i = 0; i < COUNT(times) && ok; i++)
        ok = times[i].time == 0 || put(o, times[i].key, json_integer(times[i].time));
    return ok;
}

enum hale_rc actuator_run_encode(const struct actuator_run *r, struct hale_buf *out)
{
    json_t *o = json_object();
    bool ok = o != NULL && put(o, "v", json_integer(1)) &&
              put(o, "id", json_string(r->id)) &&
              put(o, "mode", json_string(actuator_mode_text(r->mode))) &&
              put(o, "alarm_state",
                  json_string(hale_state_text((enum hale_state)r->alarm_state))) &&
              put(o, "state", json_string(STATES[r->state])) &&
              put(o, "phase", json_string(PHASES[r->phase])) &&
              put(o, "outcome", json_string(r->outcome)) &&
              put(o, "op_occ", json_string(r->op_occ)) &&
              put(o, "settle", json_string(r->settle)) &&
              put(o, "settle_seen", json_string(r->settle_seen)) &&
              put(o, "looked", json_boolean(r->looked)) &&
              put(o, "settled", json_boolean(r->settled));
    for (size_t i = 0; i < COUNT(TEXTS) && ok; i++) {
        const char *text =
            *(char *const *)(const void *)((const char *)r + TEXTS[i].offset);
        ok = put(o, TEXTS[i].key, json_string(text != NULL ? text : ""));
    }
    for (size_t i = 0; i < COUNT(INTS) && ok; i++) {
        int64_t value =
            *(const int64_t *)(const void *)((const char *)r + INTS[i].offset);
        ok = put(o, INTS[i].key, json_integer(value));
    }
    ok = ok && put_plan(o, r) && put_rare(o, r);
    char *text = ok ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (text == NULL)
        return HALE_E_NOMEM;
    hale_buf_add_c(out, text);
    free(text);
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

void actuator_run_set_back(struct actuator_run *r, int64_t by_us, int64_t now_us)
{
    int64_t *const times[] = {&r->step_us,   &r->call_us,   &r->wake_us,  &r->verify_us,
                              &r->follow_us, &r->cancel_us, &r->again_us, &r->expires_us};
    if (r->written_us <= now_us)
        return;
    for (size_t i = 0; i < COUNT(times); i++)
        if (*times[i] > now_us)
            *times[i] -= by_us;
    for (unsigned i = 0; i < r->lanes.n; i++) {
        struct actuator_lane *lane = &r->lanes.v[i];
        lane->call_us -= lane->call_us > now_us ? by_us : 0;
        lane->wake_us -= lane->wake_us > now_us ? by_us : 0;
    }
    r->written_us -= by_us;
}

static int choice(const json_t *o, const char *key, const char *const *words)
{
    const char *text = json_string_value(json_object_get(o, key));
    for (int i = 0; text != NULL && words[i] != NULL; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static bool copy_text(const json_t *o, const char *key, char *dst, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (text == NULL || strlen(text) >= size)
        return false;
    memcpy(dst, text, strlen(text) + 1);
    return true;
}

/* Absent in records of before. */
static bool decode_newer(json_t *o, struct actuator_run *r)
{
    if ((json_object_get(o, "version") != NULL &&
         !copy_text(o, "version", r->version, sizeof(r->version))) ||
        (json_object_get(o, "guard") != NULL &&
         !copy_text(o, "guard", r->refused, sizeof(r->refused))))
        return false;
    r->expires_us = (int64_t)json_integer_value(json_object_get(o, "expires_us"));
    r->written_us = (int64_t)json_integer_value(json_object_get(o, "written_us"));
    const char *follow = json_string_value(json_object_get(o, "follow"));
    r->cancel_us = (int64_t)json_integer_value(json_object_get(o, "cancel_us"));
    r->follow_us = (int64_t)json_integer_value(json_object_get(o, "follow_us"));
    if (follow != NULL && (r->follow = strdup(follow)) == NULL)
        return false;
    r->verify = json_incref(json_object_get(o, "verify"));
    return r->verify == NULL || json_is_object(r->verify);
}

static bool decode(json_t *o, struct actuator_run *r)
{
    static const char *const modes[] = {"observe", "suggest", "approve", "auto", NULL};
    static const char *const alarm_states[] = {"OK", "UNDETERMINED", "ALARM", NULL};
    int state = choice(o, "state", STATES), phase = choice(o, "phase", PHASES);
    r->mode = choice(o, "mode", modes);
    r->alarm_state = choice(o, "alarm_state", alarm_states);
    if (state < 0 || phase < 0 || r->mode < 0 || r->alarm_state < 0 ||
        !copy_text(o, "id", r->id, sizeof(r->id)) ||
        !copy_text(o, "outcome", r->outcome, sizeof(r->outcome)) ||
        !copy_text(o, "op_occ", r->op_occ, sizeof(r->op_occ)))
        return false;
    r->state = (enum actuator_state)state;
    r->phase = (enum actuator_phase)phase;
    r->settled = json_is_true(json_object_get(o, "settled"));
    r->looked = json_is_true(json_object_get(o, "looked"));
    if (!copy_text(o, "settle", r->settle, sizeof(r->settle)) && r->settled)
        memcpy(r->settle, "fail", sizeof("fail")); /* an older record */
    (void)copy_text(o, "settle_seen", r->settle_seen, sizeof(r->settle_seen));
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        const char *text = json_string_value(json_object_get(o, TEXTS[i].key));
        if (text == NULL && TEXTS[i].offset == R(site))
            text = ""; /* of an older version */
        char *copy = text != NULL ? strdup(text) : NULL;
        if (copy == NULL)
            return false;
        *(char **)(void *)((char *)r + TEXTS[i].offset) = copy;
    }
    for (size_t i = 0; i < COUNT(INTS); i++) {
        const json_t *value = json_object_get(o, INTS[i].key);
        if (!json_is_integer(value))
            return false;
        *(int64_t *)(void *)((char *)r + INTS[i].offset) =
            (int64_t)json_integer_value(value);
    }
    const json_t *lanes = json_object_get(o, "lanes");
    if (lanes != NULL && actuator_lanes_decode(lanes, &r->lanes) != HALE_OK)
        return false;
    if (!decode_newer(o, r))
        return false;
    r->vars = json_incref(json_object_get(o, "vars"));
    r->plan = json_incref(json_object_get(o, "plan"));
    if (r->state == ACTUATOR_DONE)
        return true;
    if (!json_is_object(r->vars))
        return false;
    return r->state == ACTUATOR_WAITING || (json_is_array(r->plan) && r->step >= 0 &&
                                            (size_t)r->step <= json_array_size(r->plan) &&
                                            (r->state == ACTUATOR_VERIFYING ||
                                             (size_t)r->step < json_array_size(r->plan)));
}

enum hale_rc actuator_run_decode(struct hale_str json, struct actuator_run **out)
{
    json_t *o = json_loadb(json.p != NULL ? json.p : "", json.len, 0, NULL);
    struct actuator_run *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL) {
        json_decref(o);
        return HALE_E_NOMEM;
    }
    bool ok = json_is_object(o) && json_integer_value(json_object_get(o, "v")) == 1 &&
              decode(o, r);
    json_decref(o);
    if (!ok) {
        actuator_run_free(r);
        return HALE_E_INVAL;
    }
    *out = r;
    return HALE_OK;
}

bool actuator_run_held(const struct actuator_run *r)
{
    return r->state == ACTUATOR_OPEN && r->phase == ACTUATOR_HOLD &&
           actuator_run_step_text(r, "acknowledgement")[0] != '\0';
}

json_t *actuator_run_step(const struct actuator_run *r)
{
    return r->step < 0 ? NULL : json_array_get(r->plan, (size_t)r->step);
}

const char *actuator_run_step_text(const struct actuator_run *r, const char *key)
{
    const char *text = json_string_value(json_object_get(actuator_run_step(r), key));
    return text != NULL ? text : "";
}

const char *actuator_run_step_type(const struct actuator_run *r)
{
    return actuator_run_step_text(r, "type");
}

int64_t actuator_run_step_int(const struct actuator_run *r, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(actuator_run_step(r), key));
}
