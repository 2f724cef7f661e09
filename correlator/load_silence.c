/* SPDX-License-Identifier: Apache-2.0 */
/* load_silence - silences and maintenance windows from their hashes into the engine. */
#include <string.h>

#include "base/log.h"
#include "correlator/feed_inner.h"
#include "correlator/meters.h"

enum hale_rc correlator_feed_silence_row(struct correlator_feed *f, bool maintenance,
                                         struct hale_str id, struct hale_str json,
                                         const struct correlator_input *in)
{
    struct hale_silence *s = NULL;
    struct hale_err err = {0};
    enum hale_rc rc = hale_silence_decode(json, maintenance, &s, &err);
    if (rc == HALE_OK && !hale_str_eq_c(id, s->id)) {
        hale_silence_free(s);
        rc = hale_err_set(&err, HALE_E_INVAL, "its id is not the field's");
    }
    if (rc == HALE_OK)
        return correlator_engine_silence(f->engine, s, in);
    if (rc == HALE_E_NOMEM)
        return rc;
    char quoted[400];
    hale_error("event=bad_silence id=%.*s reason=%s", (int)id.len, id.p,
               hale_log_quote(err.text, quoted, sizeof(quoted)));
    correlator_meters_add(CORRELATOR_POISON, 1);
    return HALE_OK;
}

enum hale_rc correlator_feed_silence(struct correlator_feed *f, bool maintenance,
                                     const char *id, const struct correlator_input *in)
{
    const char *key = maintenance ? HALE_KEYS_MAINTENANCE : HALE_KEYS_SILENCES;
    struct hale_reply *reply = NULL;
    struct hale_str field = hale_str_from(id);
    enum hale_rc rc =
        HALE_REDIS_CMD(f->writer, &reply, HALE_STR("HGET"), hale_str_from(key), field);
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_E_IO : rc; /* INVAL would blame the record */
    rc = hale_reply_is_nil(reply)
             ? correlator_engine_unsilence(f->engine, maintenance, id, in)
             : correlator_feed_silence_row(f, maintenance, field, hale_reply_str(reply),
                                           in);
    hale_reply_free(reply);
    return rc;
}
