/* SPDX-License-Identifier: Apache-2.0 */
/* lab_silence - silences and maintenance windows: what the collector stores and correlator/feed.c reads. */
#include <stdlib.h>
#include <string.h>

#include "cli/lab_inner.h"
#include "model/silence.h"

#define TEXT_BYTES (1u << 20)

/* Stores it and tells the correlator. */
static enum hale_rc store(struct cli_lab *lab, const struct hale_silence *s)
{
    struct correlator_input in;
    struct hale_silence *copy = NULL;
    struct hale_buf text;
    char id[48];
    hale_buf_init(&text, TEXT_BYTES);
    enum hale_rc rc = hale_silence_encode(s, &text);
    if (rc == HALE_OK && json_object_set_new(lab->silences[s->maintenance], s->id,
                                             json_stringn(text.p, text.len)) != 0)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = lab_correlator_turn(lab);
    if (rc == HALE_OK)
        rc = hale_silence_decode(hale_buf_str(&text), s->maintenance, &copy, NULL);
    if (rc == HALE_OK)
        rc = correlator_engine_silence(lab->correlator, copy,
                                       lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    hale_buf_fini(&text);
    return lab_note(lab, rc);
}

enum hale_rc cli_lab_silence(struct cli_lab *lab, bool maintenance, const char *id,
                             const char *by, const json_t *body, struct hale_err *err)
{
    struct hale_silence *s = NULL;
    enum hale_rc rc = hale_silence_from_api(body, maintenance, lab->now_ms, &s, err);
    if (rc != HALE_OK)
        return rc;
    s->id = strdup(id);
    s->tenant = strdup(lab->conf->tenant);
    s->author = strdup(by);
    s->created_ms = s->updated_ms = lab->now_ms;
    rc = s->id != NULL && s->tenant != NULL && s->author != NULL ? store(lab, s)
                                                                 : HALE_E_NOMEM;
    hale_silence_free(s);
    return rc;
}

enum hale_rc cli_lab_unsilence(struct cli_lab *lab, const char *id)
{
    struct hale_silence *s = NULL;
    bool maintenance = json_object_get(lab->silences[1], id) != NULL;
    const char *text = json_string_value(json_object_get(lab->silences[maintenance], id));
    if (text == NULL)
        return HALE_E_NOTFOUND;
    enum hale_rc rc = hale_silence_decode(hale_str_from(text), maintenance, &s, NULL);
    if (rc == HALE_OK && hale_silence_end(s, lab->now_ms))
        rc = store(lab, s);
    hale_silence_free(s);
    return rc;
}

enum hale_rc lab_silences_load(struct cli_lab *lab)
{
    const char *id;
    json_t *text;
    enum hale_rc rc = HALE_OK;
    for (unsigned kind = 0; kind < 2; kind++) {
        json_object_foreach (lab->silences[kind], id, text) {
            struct hale_silence *s = NULL;
            if (rc == HALE_OK)
                rc = hale_silence_decode(hale_str_from(json_string_value(text)),
                                         kind == 1, &s, NULL);
            if (rc == HALE_OK)
                rc = correlator_engine_silence(lab->correlator, s, NULL);
        }
    }
    return rc;
}
