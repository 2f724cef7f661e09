/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/rejected.h"

#include <string.h>

#include "base/counters.h"

#define NAME "hale_collector_rejected_samples_total"
#define HELP "Samples that were not taken, by request format and reason"

/* The last one takes what has no row of its own. */
#define REASONS(X, form)                                                                 \
    X(form, "value")                                                                     \
    X(form, "name")                                                                      \
    X(form, "dimension")                                                                 \
    X(form, "series")                                                                    \
    X(form, "time")                                                                      \
    X(form, "stale")                                                                     \
    X(form, "type")                                                                      \
    X(form, "meta")                                                                      \
    X(form, "series-limit")                                                              \
    X(form, "syntax")                                                                    \
    X(form, "other")

#define TEXT(form, reason) reason,
static const char *const REASON_TEXTS[] = {REASONS(TEXT, "")};
#define N_REASONS (sizeof(REASON_TEXTS) / sizeof(REASON_TEXTS[0]))

#define COUNTER(form, reason)                                                            \
    HALE_COUNTER_INIT(NAME, "form=\"" form "\",reason=\"" reason "\"", HELP),
#define FORM(id, label) REASONS(COUNTER, label)
static struct hale_counter counters[] = {COLLECTOR_FORMS(FORM)};

_Static_assert(sizeof(counters) / sizeof(counters[0]) == COLLECTOR_FORM_N * N_REASONS,
               "one counter per form and reason");

void collector_rejected_init(void)
{
    hale_counter_register_all(counters, COLLECTOR_FORM_N * N_REASONS);
}

void collector_rejected_count(enum collector_form_id form, const char *reason, size_t n)
{
    size_t r = 0;

    while (r < N_REASONS - 1 && strcmp(REASON_TEXTS[r], reason) != 0)
        r++;
    hale_counter_add(&counters[form * N_REASONS + r], (int64_t)n);
}
