/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/why.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)1 << 20)

struct work {
    json_t *answers;
    int64_t now_ms;
    bool failed;
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static bool is(const json_t *o, const char *key, const char *value)
{
    return strcmp(text_of(o, key), value) == 0;
}

/* --- words ----------------------------------------------------------------------------------- */

static void add_time(struct hale_buf *b, int64_t ms)
{
    char when[HALE_CLOCK_ISO_MAX];
    hale_buf_add_c(b, hale_clock_iso_ms(ms, when));
}

/* {a=b, c=d}; "all" for the group that has no dimension. */
static void add_dims(struct hale_buf *b, json_t *dims)
{
    const char *key;
    const json_t *value;
    bool first = true;
    hale_buf_add_char(b, '{');
    json_object_foreach (dims, key, value) {
        hale_buf_printf(b, "%s%s=%s", first ? "" : ", ", key, json_string_value(value));
        first = false;
    }
    hale_buf_add_char(b, '}');
}

static void add_values(struct hale_buf *b, const json_t *values)
{
    size_t i;
    const json_t *v;
    hale_buf_add_char(b, '[');
    json_array_foreach (values, i, v) {
        if (i > 0)
            hale_buf_add_c(b, ", ");
        if (json_is_number(v))
            hale_buf_printf(b, "%.6g", json_number_value(v));
        else
            hale_buf_add_c(b, "-");
    }
    hale_buf_add_char(b, ']');
}

/* Takes the text; sub < 0: the answer is about the whole. more: further members, or NULL. */
static void answer(struct work *w, const char *code, int64_t sub, struct hale_buf *text,
                   json_t *more)
{
    json_t *o = text->failed ? NULL
                             : json_pack("{s:s, s:s%}", "code", code, "text",
                                         text->p != NULL ? text->p : "", text->len);
    if (o != NULL && sub >= 0 && json_object_set_new(o, "sub", json_integer(sub)) != 0)
        w->failed = true;
    if (o != NULL && more != NULL && json_object_update(o, more) != 0)
        w->failed = true;
    json_decref(more);
    if (o == NULL || json_array_append_new(w->answers, o) != 0)
        w->failed = true;
    hale_buf_reset(text);
}

/* --- the alarm and who is told ------------------------------------------------------------------ */

static void say_state(struct work *w, const json_t *facts, struct hale_buf *b)
{
    const json_t *a = json_object_get(facts, "alarm");
    const json_t *e = json_object_get(json_object_get(facts, "transition"), "evidence");
    const char *state = text_of(a, "state");
    hale_buf_printf(b, "%s (%s) since ", state, text_of(a, "severity"));
    add_time(b, int_of(a, "state_updated_ms"));
    hale_buf_printf(b, ": %s", text_of(a, "reason"));
    if (int_of(e, "definition_version") > 0)
        hale_buf_printf(b, " (definition %s, version %lld)",
                        text_of(a, "definition_name"),
                        (long long)int_of(e, "definition_version"));
    const json_t *event = json_object_get(e, "event");
    if (event != NULL) {
        hale_buf_printf(b, " (event %s, %s at ", text_of(event, "type"),
                        text_of(event, "status"));
        add_time(b, int_of(event, "time_ms"));
        hale_buf_add_char(b, ')');
    }
    answer(w, strcmp(state, "ALARM") == 0 ? "alarm" : "state", -1, b, NULL);
}

static const struct {
    const char *kind, *words;
} mutes[] = {
    {"cause", "a symptom of alarm"},
    {"hold", "held back, to see whether a cause follows:"},
    {"silence", "silenced by"},
    {"maintenance", "in maintenance window"},
    {"shelve", "shelved:"},
    {"flap", "flapping:"},
    {"storm", "held back by storm protection:"},
};

/* Name and group of the alarm with that id, if the facts have it. */
static void add_cause(const json_t *facts, const char *id, struct hale_buf *b)
{
    size_t i;
    const json_t *v;
    json_array_foreach (json_object_get(facts, "causes"), i, v) {
        if (!is(v, "id", id))
            continue;
        hale_buf_printf(b, " = %s ", text_of(v, "definition_name"));
        add_dims(b, json_object_get(v, "group"));
        hale_buf_printf(b, " in state %s", text_of(v, "state"));
    }
}

static void say_mute(struct work *w, const json_t *facts, const json_t *mute,
                     struct hale_buf *b)
{
    const char *kind = text_of(mute, "kind"), *words = "suppressed by";
    for (size_t i = 0; i < sizeof(mutes) / sizeof(mutes[0]); i++) {
        if (strcmp(kind, mutes[i].kind) == 0)
            words = mutes[i].words;
    }
    hale_buf_printf(b, "nobody is told: %s %s", words, text_of(mute, "id"));
    if (strcmp(kind, "cause") == 0)
        add_cause(facts, text_of(mute, "id"), b);
    if (text_of(mute, "text")[0] != '\0')
        hale_buf_printf(b, " (%s)", text_of(mute, "text"));
    hale_buf_add_c(b, " since ");
    add_time(b, int_of(mute, "since_ms"));
    if (int_of(mute, "until_ms") > 0) {
        hale_buf_add_c(b, ", until ");
        add_time(b, int_of(mute, "until_ms"));
    }
    answer(w, "suppressed", -1, b, json_pack("{s:O?}", "suppressed_by", mute));
}

static void say_cause(struct work *w, const json_t *life, struct hale_buf *b)
{
    const json_t *root = json_object_get(life, "root_entity");
    if (json_is_true(json_object_get(life, "root_cause"))) {
        hale_buf_printf(b, "it is the root cause of %lld other alarms",
                        (long long)int_of(life, "symptoms"));
        answer(w, "root_cause", -1, b, NULL);
    }
    if (root != NULL) {
        const json_t *path = json_object_get(life, "path"), *ref;
        size_t i;
        hale_buf_printf(b, "its root cause lies in %s/%s", text_of(root, "type"),
                        text_of(root, "id"));
        json_array_foreach (path, i, ref)
            hale_buf_printf(b, "%s%s", i == 0 ? ": " : " <- ",
                            json_string_value(ref) != NULL ? json_string_value(ref) : "");
        answer(w, "caused_by", -1, b, json_pack("{s:O*}", "path", path));
    }
}

static void say_told(struct work *w, const json_t *facts, struct hale_buf *b)
{
    const json_t *a = json_object_get(facts, "alarm");
    const json_t *life = json_object_get(a, "life");
    const json_t *definition = json_object_get(facts, "definition");
    const json_t *mute;
    size_t i;
    bool alarm = is(a, "state", "ALARM");
    bool muted = json_array_size(json_object_get(life, "suppressed_by")) > 0;
    const char *announced = text_of(life, "announced");

    json_array_foreach (json_object_get(life, "suppressed_by"), i, mute)
        say_mute(w, facts, mute, b);
    if (muted && strcmp(announced, "ALARM") == 0) {
        hale_buf_add_c(b, "the ALARM had been announced before it was suppressed");
        answer(w, "announced", -1, b, NULL);
    } else if (!muted && alarm && json_object_get(life, "announced") != NULL) {
        hale_buf_add_c(b, "the ALARM was announced to subscribers, methods and policies");
        answer(w, "announced", -1, b, NULL);
    }
    if (json_is_false(json_object_get(a, "actions_enabled"))) {
        hale_buf_add_c(b, "no notification method is used: actions_enabled is false");
        answer(w, "actions_off", -1, b, NULL);
    } else if (alarm && json_is_object(definition) &&
               json_array_size(json_object_get(definition, "alarm_actions")) == 0) {
        hale_buf_add_c(b, "the definition names no notification method in alarm_actions: "
                          "only subscribers, policies and dashboards hear of it");
        answer(w, "no_actions", -1, b, NULL);
    }
    if (json_object_get(life, "phase") != NULL) {
        hale_buf_printf(b, "it is %s: a delay of the alarm is running",
                        text_of(life, "phase"));
        answer(w, text_of(life, "phase"), -1, b, NULL);
    }
    const json_t *ack = json_object_get(life, "ack");
    if (ack != NULL) {
        hale_buf_printf(b, "acknowledged by %s at ", text_of(ack, "by"));
        add_time(b, int_of(ack, "at_ms"));
        answer(w, "acknowledged", -1, b, NULL);
    }
    say_cause(w, life, b);
}

/* --- one sub-expression --------------------------------------------------------------------------- */

static void begin(const json_t *sub, struct hale_buf *b)
{
    hale_buf_printf(b, "sub-expression %lld, %s, ", (long long)int_of(sub, "sub") + 1,
                    text_of(sub, "expression"));
}

static void say_no_series(struct work *w, const json_t *facts, const json_t *sub,
                          const json_t *operand, struct hale_buf *b)
{
    json_t *dims = json_object_get(operand, "dimensions");
    json_t *group = json_object_get(facts, "group");
    begin(sub, b);
    hale_buf_printf(b, "has no series: no series of metric %s",
                    text_of(operand, "metric"));
    if (json_object_size(dims) > 0) {
        hale_buf_add_c(b, " with dimensions ");
        add_dims(b, dims);
    }
    if (json_object_size(group) > 0) {
        hale_buf_add_c(b, " fits the group ");
        add_dims(b, group);
    } else {
        hale_buf_add_c(b, " is known");
    }
    int64_t others = int_of(operand, "metric_series");
    if (others > 0)
        hale_buf_printf(b, " (%lld series of the metric are known)", (long long)others);
    answer(w, "no_series", int_of(sub, "sub"), b, NULL);
}

/* How old its data are, where that explains something. True: said. */
static bool add_silence(const struct work *w, const json_t *sub, const json_t *g,
                        const char *before, struct hale_buf *b)
{
    const json_t *newest = json_object_get(g, "newest_ms");
    int64_t ms = (int64_t)json_integer_value(newest);
    if (!json_is_integer(newest) || ms >= w->now_ms - 2000 * int_of(sub, "window_s"))
        return false;
    hale_buf_printf(b, "%shas no data since ", before);
    add_time(b, ms);
    return true;
}

static void add_window(const json_t *stored, struct hale_buf *b)
{
    const json_t *window = json_object_get(stored, "window");
    int64_t from = (int64_t)json_integer_value(json_array_get(window, 0));
    int64_t to = (int64_t)json_integer_value(json_array_get(window, 1));
    if (json_array_size(json_object_get(stored, "values")) > 0) {
        hale_buf_add_c(b, " with the values ");
        add_values(b, json_object_get(stored, "values"));
    }
    if (json_array_size(json_object_get(stored, "operands")) > 0) {
        hale_buf_add_c(b, ", the newest calculated of ");
        add_values(b, json_object_get(stored, "operands"));
    }
    if (to > 0) {
        hale_buf_add_c(b, from == to ? " of " : " of the window ");
        add_time(b, from);
        if (from != to) {
            hale_buf_add_c(b, " to ");
            add_time(b, to);
        }
    }
}

static void add_due(const json_t *live, struct hale_buf *b)
{
    if (int_of(live, "due_ms") > 0) {
        hale_buf_add_c(b, "; the next decision by time is at ");
        add_time(b, int_of(live, "due_ms"));
    }
}

static const char *say_wait(const json_t *live, struct hale_buf *b)
{
    hale_buf_printf(b, "is pending: %s was decided at ", text_of(live, "waits"));
    add_time(b, int_of(live, "waits_since_ms"));
    hale_buf_add_c(b, " and must last until ");
    add_time(b, int_of(live, "waits_until_ms"));
    return "pending";
}

/* The state as it was reported, or what keeps it from being reported. */
static const char *say_reported(const struct work *w, const json_t *sub, const json_t *g,
                                struct hale_buf *b)
{
    const json_t *stored = json_object_get(g, "stored");
    const json_t *live = json_object_get(g, "live");
    const char *code = "undecided";
    if (json_is_true(json_object_get(stored, "missing"))) {
        hale_buf_printf(b, "is %s by on_missing: it ", text_of(stored, "state"));
        if (!add_silence(w, sub, g, "", b))
            hale_buf_add_c(b, "had no data");
        return "missing";
    }
    if (is(stored, "state", "UNDETERMINED")) {
        code = "no_data";
        hale_buf_add_c(b, "is UNDETERMINED: it ");
        if (!add_silence(w, sub, g, "", b)) {
            hale_buf_add_c(b, json_is_true(json_object_get(stored, "learning"))
                                  ? "has not enough history yet"
                                  : "waits for a full window of samples");
            code = "undecided";
        }
    } else {
        bool holds = is(stored, "state", "ALARM");
        code = holds ? "holds" : "does_not_hold";
        hale_buf_add_c(b, holds ? "holds" : "does not hold");
        add_window(stored, b);
        hale_buf_add_c(b, ", reported at ");
        add_time(b, int_of(stored, "at_ms"));
        if (add_silence(w, sub, g, "; it ", b) && !holds)
            code = "no_data";
    }
    add_due(live, b);
    return code;
}

static void say_group(struct work *w, const json_t *sub, const json_t *g, bool named,
                      struct hale_buf *b)
{
    const json_t *stored = json_object_get(g, "stored");
    const json_t *live = json_object_get(g, "live");
    const char *code = "undecided";
    begin(sub, b);
    if (named) {
        hale_buf_add_c(b, "for ");
        add_dims(b, json_object_get(g, "group"));
        hale_buf_add_char(b, ' ');
    }
    if (json_object_get(live, "waits") != NULL) {
        code = say_wait(live, b);
    } else if (!json_is_object(stored)) {
        code = "unmatched";
        if (!add_silence(w, sub, g, "", b))
            hale_buf_add_c(b, "has no sub-alarm yet");
        hale_buf_add_c(b, "; a series takes part from its next sample on");
    } else if (!json_is_true(json_object_get(stored, "reported"))) {
        hale_buf_add_c(b, "is not decided yet");
        hale_buf_add_c(b, "; it ");
        if (!add_silence(w, sub, g, "", b))
            hale_buf_add_c(b, "waits for its first full window");
        else
            code = "no_data";
        add_due(live, b);
    } else {
        code = say_reported(w, sub, g, b);
    }
    answer(w, code, int_of(sub, "sub"), b, NULL);
}

/* Of arithmetic: one of its metrics is silent. */
static void say_old_operand(struct work *w, const json_t *sub, const json_t *operand,
                            struct hale_buf *b)
{
    struct hale_buf before;
    hale_buf_init(&before, TEXT_MAX);
    begin(sub, &before);
    hale_buf_printf(&before, "lacks %s: it ", text_of(operand, "metric"));
    if (!before.failed && add_silence(w, sub, operand, before.p, b))
        answer(w, "no_data", int_of(sub, "sub"), b, NULL);
    hale_buf_fini(&before);
}

static void say_sub(struct work *w, const json_t *facts, const json_t *sub,
                    struct hale_buf *b)
{
    const json_t *groups = json_object_get(sub, "groups"), *v;
    size_t i;
    bool many = json_array_size(json_object_get(sub, "operands")) > 1;
    json_array_foreach (json_object_get(sub, "operands"), i, v) {
        if (int_of(v, "series") == 0)
            say_no_series(w, facts, sub, v, b);
        else if (many)
            say_old_operand(w, sub, v, b);
    }
    json_array_foreach (groups, i, v) {
        bool same =
            json_equal(json_object_get(v, "group"), json_object_get(facts, "group"));
        say_group(w, sub, v, !same, b);
    }
}

/* --- all ------------------------------------------------------------------------------------------ */

static void say_no_alarm(struct work *w, const json_t *facts, struct hale_buf *b)
{
    const json_t *groups = json_object_get(facts, "groups");
    if (groups != NULL) {
        hale_buf_printf(
            b,
            "the definition has %lld alarms: %lld ALARM, %lld UNDETERMINED, "
            "%lld OK; ask for one with a group",
            (long long)int_of(facts, "alarms"), (long long)int_of(facts, "in_alarm"),
            (long long)int_of(facts, "undetermined"), (long long)int_of(facts, "ok"));
        answer(w, "groups", -1, b, NULL);
        return;
    }
    hale_buf_add_c(b, "there is no alarm for the group ");
    add_dims(b, json_object_get(facts, "group"));
    hale_buf_add_c(b, ": it is made when every sub-expression has a sub-alarm and these "
                      "name all of the group's dimensions");
    answer(w, "no_alarm", -1, b, NULL);
}

enum hale_rc collector_why_conclude(json_t *facts)
{
    struct work w = {.answers = json_array(), .now_ms = int_of(facts, "time_ms")};
    struct hale_buf b;
    const json_t *sub;
    size_t i;
    if (w.answers == NULL)
        return HALE_E_NOMEM;
    hale_buf_init(&b, TEXT_MAX);
    if (json_is_object(json_object_get(facts, "alarm"))) {
        say_state(&w, facts, &b);
        say_told(&w, facts, &b);
    } else {
        say_no_alarm(&w, facts, &b);
    }
    json_array_foreach (json_object_get(facts, "subs"), i, sub)
        say_sub(&w, facts, sub, &b);
    if (is(facts, "evaluation", "unanswered")) {
        hale_buf_add_c(&b,
                       "hale-thresholds did not answer in time: waits and the times of "
                       "next decisions are not known");
        answer(&w, "unanswered", -1, &b, NULL);
    }
    hale_buf_fini(&b);
    if (json_object_set_new(facts, "answers", w.answers) != 0)
        w.failed = true;
    return w.failed ? HALE_E_NOMEM : HALE_OK;
}
