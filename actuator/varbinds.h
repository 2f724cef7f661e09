/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_VARBINDS_H
#define HALE_ACTUATOR_VARBINDS_H
/*
 * varbinds - an alarm as SNMP managers are told it: which notification of packaging/mibs/HALE-MIB.txt, and
 * the values of its objects (docs/formats/notification.md, "SNMP"). Knows nothing of the wire.
 * Limits:    what is written fits ACTUATOR_VARBINDS_BYTES as a variable binding list with the default
 *            arc: so the message is one frame of Ethernet. Texts are cut between two characters, with "…"
 *            at the end: first the description, then dimensions and reason, then names. Control
 *            characters are blanks.
 * Threads:   stateless.
 */
#include "actuator/profile.h"

#define ACTUATOR_VARBINDS_MAX   32
#define ACTUATOR_VARBINDS_BYTES 1280
#define ACTUATOR_DATE_BYTES     11

enum actuator_vartype {
    ACTUATOR_VAR_INTEGER,
    ACTUATOR_VAR_GAUGE,
    ACTUATOR_VAR_COUNTER,
    ACTUATOR_VAR_TEXT,
    ACTUATOR_VAR_DATE /* number: wall clock, ms */
};
struct actuator_varbind {
    unsigned object; /* below the arc's objects */
    enum actuator_vartype type;
    int64_t number;
    struct hale_str text;
};
struct actuator_varbinds {
    unsigned notification; /* below the arc's notifications */
    unsigned n;
    struct actuator_varbind v[ACTUATOR_VARBINDS_MAX];
    json_t *root; /* owns the texts */
};

/* The body of a note: {"notification":n,"vars":[[object,type,value],...]}. */
HALE_MUST_CHECK enum hale_rc
actuator_varbinds_write(const struct actuator_profile_note *n, struct hale_buf *out);
/* HALE_E_INVAL: nothing that was written here. */
HALE_MUST_CHECK enum hale_rc actuator_varbinds_read(struct hale_str body,
                                                    struct actuator_varbinds *out);
void actuator_varbinds_fini(struct actuator_varbinds *v);
/* DateAndTime (RFC 2579), UTC. */
void actuator_varbinds_date(int64_t wall_ms, unsigned char dst[ACTUATOR_DATE_BYTES]);
#endif
