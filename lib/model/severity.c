/* SPDX-License-Identifier: Apache-2.0 */
/* severity - of an alarm, and its impact on the entity that it is about, as text. */
#include "base/assert.h"
#include "model/alarm_json.h"
#include "model/definition.h"

static const char *const texts[] = {
    [HALE_IMPACT_DEFAULT] = NULL,
    [HALE_IMPACT_DOWN] = "down",
    [HALE_IMPACT_DEGRADED] = "degraded",
    [HALE_IMPACT_NONE] = "none",
};

const char *hale_impact_text(enum hale_impact i)
{
    HALE_ASSERT((unsigned)i <= HALE_IMPACT_NONE);
    return texts[i];
}

enum hale_rc hale_impact_parse(struct hale_str text, enum hale_impact *out)
{
    *out = HALE_IMPACT_DEFAULT;
    for (unsigned i = HALE_IMPACT_DOWN; i <= HALE_IMPACT_NONE; i++) {
        if (hale_str_ieq_c(text, texts[i])) {
            *out = (enum hale_impact)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

const char *hale_severity_text(enum hale_severity s)
{
    HALE_ASSERT((unsigned)s <= HALE_SEV_CRITICAL);
    return hale_severity_choices[s];
}

enum hale_rc hale_severity_parse(struct hale_str text, enum hale_severity *out)
{
    for (unsigned i = 0; hale_severity_choices[i] != NULL; i++) {
        if (hale_str_ieq_c(text, hale_severity_choices[i])) {
            *out = (enum hale_severity)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}
