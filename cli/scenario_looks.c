/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_looks - what the looks at the scaling policies find: the metric's values and the sizes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/scaling.h"
#include "cli/scenario.h"
#include "cli/scenario_rows.h"

struct raw_look {
    char *policy;
    char *values[4]; /* metric, load, sizes, ready */
    int64_t start_ms, interval_ms, size;
};
static const char *const VALUES[] = {"metric", "load", "sizes", "ready"};
static const struct hale_conf_field look_fields[] = {
    ROW(raw_look, "policy", HALE_CONF_STRING, policy, true, NULL, 0, 0, NULL,
        "name of a scaling policy"),
    ROW(raw_look, "start", HALE_CONF_DURATION, start_ms, false, "0s", 0, TIME_MAX, NULL,
        "time of the first value"),
    ROW(raw_look, "interval", HALE_CONF_DURATION, interval_ms, false, NULL, 1, TIME_MAX,
        NULL, "between two values"),
    ROW(raw_look, "metric", HALE_CONF_STRING, values[0], false, NULL, 0, 0, NULL,
        "what the policy's query says"),
    ROW(raw_look, "load", HALE_CONF_STRING, values[1], false, NULL, 0, 0, NULL,
        "of all together: the query says each one's share"),
    ROW(raw_look, "sizes", HALE_CONF_STRING, values[2], false, NULL, 0, 0, NULL,
        "how many there are"),
    ROW(raw_look, "ready", HALE_CONF_STRING, values[3], false, NULL, 0, 0, NULL,
        "how many of them are ready"),
    ROW(raw_look, "size", HALE_CONF_INT, size, false, "-1", -1, ACTUATOR_SIZE_MAX, NULL,
        "how many there are at the start; then what was ordered"),
};
#define N_LOOK (sizeof(look_fields) / sizeof(look_fields[0]))

static enum hale_rc read_values(NODE map, const struct raw_look *raw,
                                struct cli_scenario_look *l, struct hale_err *err)
{
    struct cli_values *to[] = {&l->metric, &l->load, &l->sizes, &l->ready};
    for (unsigned i = 0; i < 4; i++) {
        struct hale_err why = {0};
        if (raw->values[i] == NULL)
            continue;
        if (cli_values_read(hale_str_from(raw->values[i]), to[i], &why) != HALE_OK)
            return hale_yaml_error(hale_yaml_get(map, VALUES[i]), err,
                                   "%s, character %d: %s", VALUES[i], why.col, why.text);
    }
    if ((raw->values[0] == NULL) == (raw->values[1] == NULL))
        return hale_yaml_error(map, err, "either metric or load is wanted");
    if ((raw->values[2] == NULL) == (raw->size < 0))
        return hale_yaml_error(map, err, "either size or sizes is wanted");
    return HALE_OK;
}

static const struct actuator_scaling *scaling_of(const struct cli_scenario *s,
                                                 const char *policy)
{
    return s->policies != NULL ? actuator_scaling_find(s->policies, policy) : NULL;
}

static enum hale_rc read_look(struct cli_scenario *s, NODE map, int64_t interval_ms,
                              struct hale_err *err)
{
    struct raw_look raw = {.size = -1};
    struct cli_scenario_look *l = &s->looks[s->n_looks++];
    enum hale_rc rc = hale_conf_read(map, look_fields, N_LOOK, &raw, err);
    l->line = hale_yaml_line(map);
    l->start_ms = raw.start_ms;
    l->interval_ms = raw.interval_ms > 0 ? raw.interval_ms : interval_ms;
    l->size = raw.size;
    l->policy = raw.policy;
    raw.policy = NULL;
    if (rc == HALE_OK && scaling_of(s, l->policy) == NULL)
        rc = hale_yaml_error(hale_yaml_get(map, "policy"), err,
                             "there is no scaling policy '%.60s' in the scenario",
                             l->policy);
    if (rc == HALE_OK)
        rc = read_values(map, &raw, l, err);
    hale_conf_fini(look_fields, N_LOOK, &raw);
    return rc;
}

enum hale_rc cli_scenario_looks(struct cli_scenario *s, NODE list, int64_t interval_ms,
                                struct hale_err *err)
{
    enum hale_rc rc = cli_scenario_maps(list, "looks", err);
    size_t n = rc == HALE_OK && list != NULL ? hale_yaml_count(list) : 0;
    if (rc != HALE_OK)
        return rc;
    s->looks = calloc(n + 1, sizeof(*s->looks));
    if (s->looks == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_look(s, hale_yaml_item(list, i), interval_ms, err);
    return rc;
}

void cli_scenario_looks_fini(struct cli_scenario *s)
{
    for (unsigned i = 0; i < s->n_looks; i++) {
        free(s->looks[i].policy);
        cli_values_fini(&s->looks[i].metric);
        cli_values_fini(&s->looks[i].load);
        cli_values_fini(&s->looks[i].sizes);
        cli_values_fini(&s->looks[i].ready);
    }
    free(s->looks);
}

/* --- a look ------------------------------------------------------------------------ */

/* The newest value that is not older than the next one would be, and newer than since_ms. */
static bool value_at(const struct cli_scenario_look *l, const struct cli_values *values,
                     int64_t at_ms, int64_t since_ms, double *out)
{
    int64_t i = at_ms >= l->start_ms ? (at_ms - l->start_ms) / l->interval_ms : -1;
    if (i < 0 || i >= (int64_t)values->n || isnan(values->v[i]) ||
        l->start_ms + i * l->interval_ms <= since_ms)
        return false;
    *out = values->v[i];
    return true;
}

bool cli_scenario_look(const struct cli_scenario *s, const char *policy, int64_t at_ms,
                       int64_t changed_ms, int64_t ordered, struct actuator_look *out)
{
    const struct cli_scenario_look *l = NULL;
    for (unsigned i = 0; i < s->n_looks && l == NULL; i++)
        if (strcmp(s->looks[i].policy, policy) == 0)
            l = &s->looks[i];
    if (l == NULL)
        return false;
    const struct actuator_scaling *scaling = scaling_of(s, policy);
    bool measured = scaling->size.kind == ACTUATOR_SIZE_QUERY;
    int64_t changed = changed_ms > 0 ? changed_ms - s->start_ms : -1;
    int64_t fresh = at_ms - scaling->fresh_ms - 1;
    int64_t since = changed > fresh ? changed : fresh;
    double n = (double)(ordered >= 0 ? ordered : l->size), ready, value;
    out->size_known =
        l->sizes.n == 0 || (value_at(l, &l->sizes, at_ms, measured ? since : -1, &n) &&
                            n >= 0 && n <= ACTUATOR_SIZE_MAX);
    out->size = out->size_known ? (int64_t)n : -1;
    out->ready_known = value_at(l, &l->ready, at_ms, -1, &ready) && ready >= 0 &&
                       ready <= ACTUATOR_SIZE_MAX;
    out->ready = out->ready_known ? (int64_t)ready : -1;
    bool share = l->load.n > 0;
    out->metric_known =
        value_at(l, share ? &l->load : &l->metric, at_ms, since, &value) &&
        (!share || out->size_known);
    if (out->metric_known)
        out->metric = share && out->size > 1 ? value / (double)out->size : value;
    return true;
}
