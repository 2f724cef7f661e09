/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_METHOD_KEY_H
#define HALE_MODEL_METHOD_KEY_H
/*
 * method_key - the keys that webhooks of notification methods are signed with: one per method, derived from one
 * secret, so that no tenant learns another's and none need be stored. The actuator signs, the collector tells the
 * tenant (docs/formats/notification.md, "Signature").
 *   key = hex(HMAC-SHA256(secret, "hale notification method" LF id)), 64 characters, used as they are.
 * Ownership: the caller's; _fini wipes. Threads: stateless.
 */
#include <stddef.h>

#include "base/rc.h"

#define HALE_METHOD_SECRET_MIN 16 /* bytes */
#define HALE_METHOD_SECRET_MAX 4096
#define HALE_METHOD_KEY_TEXT   65

struct hale_method_secret {
    size_t len; /* 0: nothing is signed */
    char *bytes;
};
/* The file without its final newlines. HALE_E_INVAL: too short or too long; err says what to do. */
HALE_MUST_CHECK enum hale_rc hale_method_secret_load(const char *path,
                                                     struct hale_method_secret *out,
                                                     struct hale_err *err);
void hale_method_secret_fini(struct hale_method_secret *s);
HALE_MUST_CHECK enum hale_rc hale_method_key(const struct hale_method_secret *s,
                                             const char *method_id,
                                             char key[HALE_METHOD_KEY_TEXT]);
#endif
