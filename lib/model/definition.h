/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_DEFINITION_H
#define HALE_MODEL_DEFINITION_H
/*
 * definition - an alarm definition (Monasca's object plus our optional keys).
 * Stored as JSON in the hash of hale_keys_definitions (docs/formats/definition.md):
 *   {"v":1,"id":uuid,"tenant":s,"name":s,"description":s,"expression":s,"match_by":[s],
 *    "severity":"LOW|MEDIUM|HIGH|CRITICAL","actions_enabled":b,"ok_actions":[s],
 *    "alarm_actions":[s],"undetermined_actions":[s],"semantics":"hale|monasca",
 *    "on_missing":"keep|undetermined|ok|alarm"?,"missing_after":n?,"flap_detection":false?,
 *    "impact":"down|degraded|none"?,"for":n?,"clear_for":n?,"version":n,
 *    "created_ms":n,"updated_ms":n}
 * version counts from 1 and grows with each change.
 * Ownership: a definition is its own heap object; free with hale_definition_free.
 * Threads:   immutable after creation.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/expr.h"

const char *hale_severity_text(enum hale_severity s);
HALE_MUST_CHECK enum hale_rc hale_severity_parse(struct hale_str text,
                                                 enum hale_severity *out);

struct hale_strings { /* owned array of owned C strings */
    unsigned n;
    char **v;
};

/* What a comparison is after a time without data: not given (UNDETERMINED, `last` keeps), ... */
enum hale_missing {
    HALE_MISSING_DEFAULT,
    HALE_MISSING_KEEP,
    HALE_MISSING_UNDETERMINED,
    HALE_MISSING_OK,
    HALE_MISSING_ALARM
};
const char *hale_missing_text(enum hale_missing m); /* "keep" ...; NULL: default */
#define HALE_DEF_DELAY_MAX_S     604800             /* 7 days */
#define HALE_MISSING_AFTER_MAX_S 2592000            /* 30 days */

/* What an ALARM says of the entity that it is about (docs/formats/causes.md). Not given: a CRITICAL
 * one that it is down, any other nothing. */
enum hale_impact {
    HALE_IMPACT_DEFAULT,
    HALE_IMPACT_DOWN,
    HALE_IMPACT_DEGRADED,
    HALE_IMPACT_NONE
};
const char *hale_impact_text(enum hale_impact i); /* "down" ...; NULL: default */
/* HALE_E_INVAL: none of them. */
HALE_MUST_CHECK enum hale_rc hale_impact_parse(struct hale_str text,
                                               enum hale_impact *out);

struct hale_definition {
    char *id;
    char *tenant;
    char *name;
    char *description; /* "" when none */
    char *expression;  /* verbatim */
    struct hale_expr *expr;
    struct hale_strings match_by;
    struct hale_strings ok_actions, alarm_actions, undetermined_actions;
    enum hale_severity severity;
    enum hale_semantics semantics;
    enum hale_missing on_missing;
    int64_t missing_after_s; /* 0: 2 x period x times */
    enum hale_impact impact;
    int64_t for_s,
        clear_for_s; /* the whole expression waits so long for ALARM, for OK; 0: not */
    bool actions_enabled;
    bool
        flap_off; /* "flap_detection":false: its alarms are told however often they change */
    int64_t version;
    int64_t created_ms, updated_ms;
};

void hale_definition_free(struct hale_definition *d);
/* From the stored JSON. */
HALE_MUST_CHECK enum hale_rc hale_definition_decode(struct hale_str json,
                                                    struct hale_definition **out,
                                                    struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_definition_encode(const struct hale_definition *d,
                                                    struct hale_buf *out);
/* From the body of a POST (partial = false: name and expression required, defaults filled in) or
 * of a PATCH over base (partial = true: only given keys change; base is not touched). Checks all
 * of Monasca's field rules; err->text is the message for the 422 body. The id, tenant, version and
 * times of the result are copied from base (NULL base: left NULL/0 for the caller). Unknown keys
 * are ignored. */
HALE_MUST_CHECK enum hale_rc hale_definition_from_api(const json_t *body,
                                                      const struct hale_definition *base,
                                                      bool partial,
                                                      struct hale_definition **out,
                                                      struct hale_err *err);
/* Monasca refuses changes of match_by, of the number of sub-expressions and of their metrics
 * (422 InvalidUpdateException). HALE_E_CONFLICT with the message. */
HALE_MUST_CHECK enum hale_rc
hale_definition_check_update(const struct hale_definition *before,
                             const struct hale_definition *after, struct hale_err *err);
#endif
