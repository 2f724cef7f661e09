/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_CLOCK_H
#define HALE_BASE_CLOCK_H
/*
 * clock - the only place that asks the kernel for the time. Engines get time as an argument.
 * Units are in the names. Wall time is Unix time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

int64_t hale_clock_wall_ms(void);
int64_t hale_clock_wall_us(void);
int64_t hale_clock_mono_ms(void);
int64_t hale_clock_mono_us(void);

/* How far the wall clock was set back since the last call with the same last (0 before the first one), at
 * least a second; else 0. Slewing is no setting, a leap forward is none of anybody's concern here. */
int64_t hale_clock_set_back_us(int64_t *last, int64_t wall_us, int64_t mono_us);

#define HALE_CLOCK_ISO_MAX 32
/* "2015-03-03T05:24:55.202Z" into dst (HALE_CLOCK_ISO_MAX bytes); returns dst. */
const char *hale_clock_iso_ms(int64_t wall_ms, char *dst);
/* "2015-03-03T05:24:55Z" (floor to the second). */
const char *hale_clock_iso_s(int64_t wall_ms, char *dst);
/* ISO 8601 with optional fraction, 'Z', numeric offset or no zone (= UTC); 'T' or blank between;
 * a date alone is its midnight. HALE_E_INVAL otherwise. */
HALE_MUST_CHECK enum hale_rc hale_clock_parse_iso(struct hale_str s,
                                                  int64_t *out_wall_ms);
#endif
