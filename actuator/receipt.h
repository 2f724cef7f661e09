/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_RECEIPT_H
#define HALE_ACTUATOR_RECEIPT_H
/*
 * receipt - what the end of a notification's call means: taken, to be tried again, or never to be
 * taken. Refused is what the receiver says about this very message (HTTP 400, 410, 413, 422 and the
 * like, a mail server's 5xx); trouble with the way or with credentials is tried again. Pure.
 */
#include "net/http_client.h"

enum actuator_receipt {
    ACTUATOR_TAKEN,
    ACTUATOR_AGAIN,
    ACTUATOR_REFUSED,
    ACTUATOR_FORBIDDEN /* the address may not be called */
};

/* An answer that is too large is cut off: with a 2xx in front of it the message was taken. */
enum actuator_receipt actuator_receipt_http(const struct hale_http_result *r);
enum actuator_receipt actuator_receipt_mail(const struct hale_http_result *r);
/* An inform's Response, or a trap that has left (actuator/managers.h). */
enum actuator_receipt actuator_receipt_snmp(const struct hale_http_result *r);
/* "answered 422", or the error, into dst; returns dst. */
const char *actuator_receipt_text(const struct hale_http_result *r, char *dst,
                                  size_t dst_size);
#endif
