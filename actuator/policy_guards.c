/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_guards.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/read.h"
#include "actuator/template.h"
#include "base/clock.h"
#include "model/definition.h"
#include "model/topology.h"

#define DAY_MS    86400000.0
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

static const char *const SCOPES[] = {"target", "policy", "site", "global", NULL};
static const char *const STANCES[] = {"refuse", "ignore", NULL};
static const char *const PRESENCES[] = {"optional", "required", NULL};
static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const SEVERITIES[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};

struct cooldown_raw {
    int64_t up, down, after_fail;
};
static const struct hale_conf_field COOLDOWN_FIELDS[] = {
    {"up", HALE_CONF_DURATION, offsetof(struct cooldown_raw, up), false, "30s", 0,
     7 * DAY_MS, NULL, "rest before it scales out"},
    {"down", HALE_CONF_DURATION, offsetof(struct cooldown_raw, down), false, "30s", 0,
     7 * DAY_MS, NULL, "rest before it scales in"},
    {"after_fail", HALE_CONF_DURATION, offsetof(struct cooldown_raw, after_fail), false,
     NULL, 0, ACTUATOR_AFTER_FAIL_MAX_MS, NULL,
     "rest after a failure, doubled for each further one in a row"},
};

struct frequency_raw {
    int64_t max, per;
    int scope;
};
static const struct hale_conf_field FREQUENCY_FIELDS[] = {
    {"max", HALE_CONF_INT, offsetof(struct frequency_raw, max), true, NULL, 1,
     ACTUATOR_FREQUENCY_MAX, NULL, "runs"},
    {"per", HALE_CONF_DURATION, offsetof(struct frequency_raw, per), true, NULL, 1000,
     30 * DAY_MS, NULL, "window"},
    {"scope", HALE_CONF_ENUM, offsetof(struct frequency_raw, scope), false, "target", 0,
     0, SCOPES, "whose runs are counted"},
};

struct hours_raw {
    char *from, *to, *zone;
    NODE days;
};
static const struct hale_conf_field HOURS_FIELDS[] = {
    {"days", HALE_CONF_NODE, offsetof(struct hours_raw, days), false, NULL, 0, 0, NULL,
     "mon-fri, or a list; default all"},
    {"from", HALE_CONF_STRING, offsetof(struct hours_raw, from), false, "00:00", 0, 0,
     NULL, "HH:MM"},
    {"to", HALE_CONF_STRING, offsetof(struct hours_raw, to), false, "24:00", 0, 0, NULL,
     "HH:MM, exclusive"},
    {"zone", HALE_CONF_STRING, offsetof(struct hours_raw, zone), false, "UTC", 0, 0, NULL,
     "IANA name"},
};

struct blackout_raw {
    NODE targets;
    NODE labels;
    char *from, *until;
};
static const struct hale_conf_field BLACKOUT_FIELDS[] = {
    {"targets", HALE_CONF_NODE, offsetof(struct blackout_raw, targets), false, NULL, 0, 0,
     NULL, "patterns"},
    {"labels", HALE_CONF_NODE, offsetof(struct blackout_raw, labels), false, NULL, 0, 0,
     NULL, "the alarm's dimensions"},
    {"from", HALE_CONF_STRING, offsetof(struct blackout_raw, from), false, NULL, 0, 0,
     NULL, "ISO 8601"},
    {"until", HALE_CONF_STRING, offsetof(struct blackout_raw, until), false, NULL, 0, 0,
     NULL, "ISO 8601"},
};

struct fleet_raw {
    NODE scope;
    NODE severity;
    char *min_healthy;
    int64_t max_concurrent, storm_cooldown;
};
static const struct hale_conf_field FLEET_FIELDS[] = {
    {"scope", HALE_CONF_NODE, offsetof(struct fleet_raw, scope), true, NULL, 0, 0, NULL,
     "type of entities, or {type, labels}"},
    {"severity", HALE_CONF_NODE, offsetof(struct fleet_raw, severity), false, NULL, 0, 0,
     NULL, "alarms that make a member unhealthy, besides those with impact down"},
    {"min_healthy", HALE_CONF_STRING, offsetof(struct fleet_raw, min_healthy), false,
     NULL, 0, 0, NULL, "number or percent"},
    {"max_concurrent", HALE_CONF_INT, offsetof(struct fleet_raw, max_concurrent), false,
     NULL, 1, 1000, NULL, "runs at once"},
    {"storm_cooldown", HALE_CONF_DURATION, offsetof(struct fleet_raw, storm_cooldown),
     false, "5m", 0, DAY_MS, NULL, "healthy for so long before it goes on"},
};
struct selector_raw {
    char *type;
    NODE labels;
};
static const struct hale_conf_field SELECTOR_FIELDS[] = {
    {"type", HALE_CONF_STRING, offsetof(struct selector_raw, type), true, NULL, 0, 0,
     NULL, "of entities"},
    {"labels", HALE_CONF_NODE, offsetof(struct selector_raw, labels), false, NULL, 0, 0,
     NULL, "attributes"},
};

struct guards_raw {
    NODE hours;
    NODE blackout;
    NODE fleet;
    NODE flap_budget;
    NODE exhausted;
    int maintenance, parent_alarmed, in_topology;
    int64_t data_fresh;
};
#define G(member) offsetof(struct guards_raw, member)
static const struct hale_conf_field GUARDS_FIELDS[] = {
    {"hours", HALE_CONF_NODE, G(hours), false, NULL, 0, 0, NULL, "when it may act"},
    {"blackout", HALE_CONF_NODE, G(blackout), false, NULL, 0, 0, NULL,
     "what it must leave alone"},
    {"fleet", HALE_CONF_NODE, G(fleet), false, NULL, 0, 0, NULL, "how many must stand"},
    {"maintenance", HALE_CONF_ENUM, G(maintenance), false, "refuse", 0, 0, STANCES,
     "silences and maintenance windows"},
    {"parent_alarmed", HALE_CONF_ENUM, G(parent_alarmed), false, "refuse", 0, 0, STANCES,
     "another alarm explains this one"},
    {"in_topology", HALE_CONF_ENUM, G(in_topology), false, "optional", 0, 0, PRESENCES,
     "the alarm must be about a known entity"},
    {"data_fresh", HALE_CONF_DURATION, G(data_fresh), false, NULL, 100, 30 * DAY_MS, NULL,
     "age of the deciding data"},
    {"flap_budget", HALE_CONF_NODE, G(flap_budget), false, NULL, 0, 0, NULL,
     "{max, per}: runs on a target, then it only suggests"},
    {"exhausted", HALE_CONF_NODE, G(exhausted), false, NULL, 0, 0, NULL,
     "{failures}: in a row, then it only suggests"},
};
static const struct hale_conf_field EXHAUSTED_FIELDS[] = {
    {"failures", HALE_CONF_INT, 0, true, NULL, 1, 1000, NULL, "in a row"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static bool given(NODE node)
{
    return hale_yaml_kind(node) != HALE_YAML_NULL;
}

/* Calls each with every item of a list, or with the one map. */
static enum hale_rc each_map(NODE node, const char *key, unsigned max, void *arg,
                             enum hale_rc (*each)(NODE item, void *arg,
                                                  struct hale_err *err),
                             struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(node) == HALE_YAML_MAP)
        return each(node, arg, err);
    if (hale_yaml_kind(node) != HALE_YAML_LIST || hale_yaml_count(node) == 0)
        return hale_yaml_error(node, err, "%s must be a map or a list of maps", key);
    if (hale_yaml_count(node) > max)
        return hale_yaml_error(node, err, "%s: at most %u", key, max);
    for (size_t i = 0; i < hale_yaml_count(node) && rc == HALE_OK; i++)
        rc = each(hale_yaml_item(node, i), arg, err);
    return rc;
}

/* --- cooldown, frequency ------------------------------------------------------------ */

static enum hale_rc read_cooldown(NODE node, struct actuator_guard_rules *g,
                                  struct hale_err *err)
{
    struct cooldown_raw raw = {0};
    int64_t ms = 0;
    g->cooldown_ms = g->up_ms = g->down_ms = 30000;
    if (hale_yaml_kind(node) == HALE_YAML_MAP) {
        enum hale_rc rc =
            hale_conf_read(node, COOLDOWN_FIELDS, N(COOLDOWN_FIELDS), &raw, err);
        g->up_ms = raw.up;
        g->down_ms = raw.down;
        g->after_fail_ms = raw.after_fail;
        return rc;
    }
    if (!given(node))
        return HALE_OK;
    if (hale_yaml_kind(node) != HALE_YAML_SCALAR ||
        hale_str_duration_ms(hale_yaml_text(node), &ms) != HALE_OK || ms < 0 ||
        (double)ms > 7 * DAY_MS)
        return hale_yaml_error(node, err,
                               "cooldown needs a unit (like 30s; at most 7d), or is {up, "
                               "down, after_fail}");
    g->cooldown_ms = g->up_ms = g->down_ms = ms;
    return HALE_OK;
}

static enum hale_rc add_frequency(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_guard_rules *g = arg;
    struct frequency_raw raw = {0};
    enum hale_rc rc =
        hale_conf_read(item, FREQUENCY_FIELDS, N(FREQUENCY_FIELDS), &raw, err);
    if (rc == HALE_OK)
        g->frequency[g->n_frequencies++] =
            (struct actuator_frequency){raw.scope, raw.max, raw.per};
    return rc;
}

/* --- hours -------------------------------------------------------------------------- */

static int day_number(struct hale_str text)
{
    for (int i = 0; i < 7; i++)
        if (hale_str_eq_c(text, DAYS[i]))
            return i;
    return -1;
}

/* "mon" or "mon-fri", also over the end of the week. */
static enum hale_rc add_days(NODE item, void *arg, struct hale_err *err)
{
    unsigned *mask = arg;
    struct hale_str text = hale_yaml_text(item), first = text, last = text;
    const char *dash = text.len > 0 ? memchr(text.p, '-', text.len) : NULL;
    if (dash != NULL) {
        first = (struct hale_str){text.p, (size_t)(dash - text.p)};
        last = (struct hale_str){dash + 1, text.len - first.len - 1};
    }
    int from = day_number(first), to = day_number(last);
    if (from < 0 || to < 0)
        return hale_yaml_error(item, err,
                               "days: mon, tue, wed, thu, fri, sat, sun, or a span like "
                               "mon-fri");
    for (int day = from;; day = (day + 1) % 7) {
        *mask |= 1u << day;
        if (day == to)
            return HALE_OK;
    }
}

static bool two_digits(const char *text, int *out)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *out = (text[0] - '0') * 10 + text[1] - '0';
    return true;
}

static bool clock_min(const char *text, int *out)
{
    int h = 0, m = 0;
    if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, &h) ||
        !two_digits(text + 3, &m) || m > 59 || h * 60 + m > 24 * 60)
        return false;
    *out = h * 60 + m;
    return true;
}

static enum hale_rc fill_hours(NODE item, const struct hours_raw *raw,
                               struct actuator_hours *h, struct hale_err *err)
{
    struct hale_err wrong;
    enum hale_rc rc = HALE_OK;
    if (!clock_min(raw->from, &h->from_min) || !clock_min(raw->to, &h->to_min) ||
        h->from_min == 24 * 60)
        return hale_yaml_error(item, err,
                               "hours: from and to are times like \"08:00\", in quotes");
    h->days = 0x7f;
    if (given(raw->days)) {
        h->days = 0;
        rc = actuator_read_each(raw->days, "days", err, add_days, &h->days);
    }
    if (rc == HALE_OK && hale_zone_load(raw->zone, &h->zone, &wrong) != HALE_OK)
        rc = hale_yaml_error(item, err, "hours: %s", wrong.text);
    return rc;
}

static enum hale_rc add_hours(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_when *w = arg;
    struct hours_raw raw = {0};
    struct actuator_hours h = {0};
    enum hale_rc rc = hale_conf_read(item, HOURS_FIELDS, N(HOURS_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = fill_hours(item, &raw, &h, err);
    hale_conf_fini(HOURS_FIELDS, N(HOURS_FIELDS), &raw);
    if (rc != HALE_OK) {
        hale_zone_free(h.zone);
        return rc;
    }
    struct actuator_hours *grown = realloc(w->hours, (w->n_hours + 1) * sizeof(*grown));
    if (grown == NULL) {
        hale_zone_free(h.zone);
        return nomem(err);
    }
    w->hours = grown;
    w->hours[w->n_hours++] = h;
    return HALE_OK;
}

/* --- blackout ------------------------------------------------------------------------ */

static enum hale_rc add_text(NODE item, void *arg, struct hale_err *err)
{
    struct hale_strings *list = arg;
    struct hale_str text = hale_yaml_text(item);
    if (text.len == 0 || text.len > HALE_TOPOLOGY_TEXT_MAX)
        return hale_yaml_error(item, err, "a pattern has 1 to %d bytes",
                               HALE_TOPOLOGY_TEXT_MAX);
    char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));
    if (grown == NULL)
        return nomem(err);
    list->v = grown;
    list->v[list->n] = strndup(text.p, text.len);
    if (list->v[list->n] == NULL)
        return nomem(err);
    list->n++;
    return HALE_OK;
}

static enum hale_rc fill_blackout(NODE item, const struct blackout_raw *raw,
                                  struct actuator_blackout *b, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    b->until_ms = INT64_MAX;
    if (!given(raw->targets) && !given(raw->labels))
        return hale_yaml_error(item, err, "blackout: targets, labels or both");
    if ((raw->from != NULL &&
         hale_clock_parse_iso(hale_str_from(raw->from), &b->from_ms) != HALE_OK) ||
        (raw->until != NULL &&
         hale_clock_parse_iso(hale_str_from(raw->until), &b->until_ms) != HALE_OK))
        return hale_yaml_error(
            item, err, "blackout: from and until are moments like 2026-12-24T18:00:00Z");
    if (b->until_ms <= b->from_ms)
        return hale_yaml_error(item, err, "blackout: until must be after from");
    if (given(raw->targets))
        rc = actuator_read_each(raw->targets, "targets", err, add_text, &b->targets);
    if (rc == HALE_OK && given(raw->labels))
        rc = actuator_read_map(raw->labels, "labels", true, &b->labels, err);
    return rc;
}

static enum hale_rc add_blackout(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_when *w = arg;
    struct blackout_raw raw = {0};
    struct actuator_blackout *grown =
        realloc(w->blackout, (w->n_blackouts + 1) * sizeof(*grown));
    if (grown == NULL)
        return nomem(err);
    w->blackout = grown;
    memset(&w->blackout[w->n_blackouts], 0, sizeof(*grown));
    enum hale_rc rc =
        hale_conf_read(item, BLACKOUT_FIELDS, N(BLACKOUT_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = fill_blackout(item, &raw, &w->blackout[w->n_blackouts++], err);
    hale_conf_fini(BLACKOUT_FIELDS, N(BLACKOUT_FIELDS), &raw);
    return rc;
}

/* --- fleet --------------------------------------------------------------------------- */

static enum hale_rc set_type(NODE node, struct hale_str type,
                             struct actuator_fleet_rule *f, struct hale_err *err)
{
    if (!hale_topology_type_ok(type))
        return hale_yaml_error(node, err,
                               "fleet: scope is a type of entities like vm, or {type, "
                               "labels}");
    f->type = strndup(type.p, type.len);
    return f->type != NULL ? HALE_OK : nomem(err);
}

static enum hale_rc read_scope(NODE node, struct actuator_fleet_rule *f,
                               struct hale_err *err)
{
    struct selector_raw raw = {0};
    struct hale_err wrong;
    if (hale_yaml_kind(node) == HALE_YAML_SCALAR)
        return set_type(node, hale_yaml_text(node), f, err);
    enum hale_rc rc =
        hale_conf_read(node, SELECTOR_FIELDS, N(SELECTOR_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = set_type(node, hale_str_from(raw.type), f, err);
    if (rc == HALE_OK && given(raw.labels))
        rc = actuator_read_map(raw.labels, "labels", true, &f->labels, err);
    if (rc == HALE_OK && f->labels != NULL &&
        actuator_template_check_json(f->labels, &wrong) != HALE_OK)
        rc = hale_yaml_error(raw.labels, err, "labels: %s", wrong.text);
    hale_conf_fini(SELECTOR_FIELDS, N(SELECTOR_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_floor(NODE node, const char *text, struct actuator_fleet_rule *f,
                               struct hale_err *err)
{
    struct hale_str number = hale_str_from(text);
    f->percent = number.len > 1 && number.p[number.len - 1] == '%';
    number.len -= f->percent ? 1 : 0;
    if (hale_str_i64(number, &f->min_healthy) != HALE_OK || f->min_healthy < 1 ||
        f->min_healthy > (f->percent ? 100 : HALE_TOPOLOGY_ENTITIES_MAX))
        return hale_yaml_error(
            node, err,
            "min_healthy must be a number from 1, or a percentage like "
            "60%%");
    return HALE_OK;
}

static enum hale_rc read_fleet(NODE node, struct actuator_fleet_rule *f,
                               struct hale_err *err)
{
    struct fleet_raw raw = {0};
    enum hale_rc rc = hale_conf_read(node, FLEET_FIELDS, N(FLEET_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = read_scope(raw.scope, f, err);
    if (rc == HALE_OK && raw.min_healthy == NULL && raw.max_concurrent == 0)
        rc = hale_yaml_error(node, err, "fleet: min_healthy, max_concurrent or both");
    if (rc == HALE_OK && raw.min_healthy != NULL)
        rc = read_floor(hale_yaml_get(node, "min_healthy"), raw.min_healthy, f, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.severity, "severity", SEVERITIES, 0, &f->severities,
                                err);
    f->max_concurrent = raw.max_concurrent;
    f->storm_cooldown_ms = raw.storm_cooldown;
    hale_conf_fini(FLEET_FIELDS, N(FLEET_FIELDS), &raw);
    return rc;
}

/* --- all ------------------------------------------------------------------------------ */

static enum hale_rc read_guards(NODE node, struct actuator_guard_rules *g,
                                struct hale_err *err)
{
    struct guards_raw raw = {0};
    struct frequency_raw budget = {0};
    enum hale_rc rc = hale_conf_read(node, GUARDS_FIELDS, N(GUARDS_FIELDS), &raw, err);
    g->ignore_maintenance = raw.maintenance == 1;
    g->ignore_parent = raw.parent_alarmed == 1;
    g->parent_given = hale_yaml_get(node, "parent_alarmed") != NULL;
    g->in_topology = raw.in_topology == 1;
    g->data_fresh_ms = raw.data_fresh;
    if (rc == HALE_OK && given(raw.hours))
        rc = each_map(raw.hours, "hours", ACTUATOR_HOURS_MAX, &g->when, add_hours, err);
    if (rc == HALE_OK && given(raw.blackout))
        rc = each_map(raw.blackout, "blackout", ACTUATOR_BLACKOUTS_MAX, &g->when,
                      add_blackout, err);
    if (rc == HALE_OK && given(raw.fleet))
        rc = read_fleet(raw.fleet, &g->fleet, err);
    if (rc == HALE_OK && given(raw.flap_budget)) /* without scope: it is the target's */
        rc = hale_conf_read(raw.flap_budget, FREQUENCY_FIELDS, 2, &budget, err);
    g->flap_max = budget.max;
    g->flap_per_ms = budget.per;
    if (rc == HALE_OK && given(raw.exhausted))
        rc = hale_conf_read(raw.exhausted, EXHAUSTED_FIELDS, 1, &g->exhausted, err);
    return rc;
}

enum hale_rc actuator_policy_read_guards(const struct actuator_guards_yaml *y,
                                         struct actuator_guard_rules *out,
                                         struct hale_err *err)
{
    enum hale_rc rc = read_cooldown(y->cooldown, out, err);
    if (rc == HALE_OK && given(y->frequency))
        rc = each_map(y->frequency, "frequency", ACTUATOR_FREQUENCIES_MAX, out,
                      add_frequency, err);
    return rc == HALE_OK ? read_guards(y->guards, out, err) : rc;
}
