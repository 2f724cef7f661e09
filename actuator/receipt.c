/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/receipt.h"

#include <stdio.h>

static bool is_refusal(unsigned status)
{
    static const unsigned codes[] = {400, 405, 406, 410, 411, 413,
                                     414, 415, 422, 431, 501};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] == status)
            return true;
    return false;
}

enum actuator_receipt actuator_receipt_http(const struct hale_http_result *r)
{
    bool good = r->status >= 200 && r->status < 300;
    if (good && (r->rc == HALE_OK || r->rc == HALE_E_LIMIT))
        return ACTUATOR_TAKEN;
    if (r->rc == HALE_E_DENIED)
        return ACTUATOR_FORBIDDEN;
    if (r->rc == HALE_E_INVAL || (r->rc == HALE_OK && is_refusal(r->status)))
        return ACTUATOR_REFUSED;
    return ACTUATOR_AGAIN;
}

enum actuator_receipt actuator_receipt_mail(const struct hale_http_result *r)
{
    if (r->rc == HALE_OK)
        return ACTUATOR_TAKEN;
    if (r->rc == HALE_E_DENIED)
        return ACTUATOR_FORBIDDEN;
    /* 50x, 52x, 53x: the dialogue or the login, not this letter. */
    if (r->rc == HALE_E_INVAL || (r->status >= 550 && r->status < 560))
        return ACTUATOR_REFUSED;
    return ACTUATOR_AGAIN;
}

enum actuator_receipt actuator_receipt_snmp(const struct hale_http_result *r)
{
    if (r->rc == HALE_OK)
        return ACTUATOR_TAKEN;
    return r->rc == HALE_E_INVAL ? ACTUATOR_REFUSED : ACTUATOR_AGAIN;
}

const char *actuator_receipt_text(const struct hale_http_result *r, char *dst,
                                  size_t dst_size)
{
    if (r->rc == HALE_OK)
        (void)snprintf(dst, dst_size, "answered %u", r->status);
    else if (r->status != 0)
        (void)snprintf(dst, dst_size, "%.200s (answered %u)", r->error, r->status);
    else
        (void)snprintf(dst, dst_size, "%.200s", r->error);
    return dst;
}
