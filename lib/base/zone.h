/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_ZONE_H
#define HALE_BASE_ZONE_H
/*
 * zone - time zones by their IANA names: reads the system's zone files (TZif, RFC 8536), because the C
 * library's own functions know one zone per process. Pure after loading.
 * Ownership: a zone belongs to its maker; immutable, so any thread may ask.
 * Units:     seconds since the epoch; local: what a clock on the wall shows, as if it were UTC.
 */
#include <stdint.h>

#include "base/rc.h"

#define HALE_ZONE_NAME_MAX 64

struct hale_zone;

/* HALE_E_INVAL: no such zone here, with the reason. "UTC" needs no file. */
HALE_MUST_CHECK enum hale_rc hale_zone_load(const char *name, struct hale_zone **out,
                                            struct hale_err *err);
/* From the bytes of a zone file. */
HALE_MUST_CHECK enum hale_rc hale_zone_read(const unsigned char *bytes, size_t n,
                                            struct hale_zone **out, struct hale_err *err);
void hale_zone_free(struct hale_zone *z); /* NULL allowed */
/* Local time minus UTC at that moment. */
int64_t hale_zone_offset_s(const struct hale_zone *z, int64_t utc_s);
/* The first moment at which the clock shows local_s; what the clock skips is as late after the gap. */
int64_t hale_zone_utc_s(const struct hale_zone *z, int64_t local_s);

/* Days since the epoch of a date, and back (proleptic Gregorian). month 1..12, day 1..31. */
int64_t hale_zone_days(int64_t year, unsigned month, unsigned day);
void hale_zone_date(int64_t days, int64_t *year, unsigned *month, unsigned *day);
unsigned hale_zone_weekday(int64_t days); /* 0 = Monday */
#endif
