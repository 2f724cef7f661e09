/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/body.h"

#include "base/inflate.h"
#include "collector/request.h"
#include "collector/stats.h"

static bool inflate(struct hale_http_req *req, enum hale_inflate_kind kind, size_t max)
{
    struct hale_str coded = hale_http_body(req);
    struct hale_buf plain;

    hale_buf_init(&plain, max);
    enum hale_rc rc = hale_inflate(kind, coded, max, &plain);
    if (rc == HALE_OK) {
        collector_count(INFLATED_FROM, coded.len);
        collector_count(INFLATED_TO, plain.len);
        hale_http_replace_body(req, &plain);
        return true;
    }
    hale_buf_fini(&plain);
    if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 413, "Request Entity Too Large",
                              "the uncompressed request body has more than %zu bytes",
                              max);
    else if (rc == HALE_E_NOMEM)
        collector_reply_busy(req, 5, "out of memory");
    else
        collector_reply_error(req, 400, "Bad request",
                              "the compressed request body is damaged or cut short");
    return false;
}

bool collector_body_open(struct hale_http_req *req, size_t max_bytes)
{
    const char *header = hale_http_header(req, "Content-Encoding");
    struct hale_str coding = hale_str_trim(hale_str_from(header));

    if (hale_http_body(req).len == 0) /* some clients name a coding always */
        return true;
    if (coding.len == 0 || hale_str_ieq_c(coding, "identity") ||
        hale_str_ieq_c(coding, "snappy"))
        return true;
    if (hale_str_ieq_c(coding, "gzip") || hale_str_ieq_c(coding, "x-gzip"))
        return inflate(req, HALE_INFLATE_GZIP, max_bytes);
    if (hale_str_ieq_c(coding, "deflate"))
        return inflate(req, HALE_INFLATE_DEFLATE, max_bytes);
    hale_http_add_header(req, "Accept-Encoding", "gzip, deflate");
    collector_reply_error(
        req, 415, "Unsupported Media Type",
        "this Content-Encoding is not known; send gzip, deflate or none");
    return false;
}
