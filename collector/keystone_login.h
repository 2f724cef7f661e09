/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_LOGIN_H
#define HALE_COLLECTOR_KEYSTONE_LOGIN_H
/*
 * keystone_login - the words with which the collector gets a token of its own. Pure but for reading
 * the secret's file, which happens at every login: a new secret needs no restart.
 */
#include "collector/keystone_config.h"

/* The body of POST /v3/auth/tokens into out (initialised, with room for 64 KiB); the caller wipes it.
 * HALE_E_INVAL, HALE_E_NOTFOUND ...: err names the secret's file. */
HALE_MUST_CHECK enum hale_rc
collector_keystone_login_body(const struct collector_keystone_config *conf,
                              struct hale_buf *out, struct hale_err *err);
/* expires_at of the answer's body, Unix time. HALE_E_INVAL: not an answer of Keystone. */
HALE_MUST_CHECK enum hale_rc collector_keystone_login_expiry(struct hale_str body,
                                                             int64_t *expires_ms);
/* Overwrites a buffer that held a secret and frees it. */
void collector_keystone_wipe(struct hale_buf *b);
#endif
