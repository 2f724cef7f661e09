/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CHAIN_API_H
#define HALE_COLLECTOR_CHAIN_API_H
/*
 * chain_api - GET /v1/journal/chain: the tenant's and the house's rows of the journal, to the letter and with
 * the links of their chains (model/chain.h), so that whoever asks can check them himself. A page is one
 * snapshot of rows and links. Nothing is judged here. Threads: query threads.
 */
#include "collector/app.h"

void collector_chain_get(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req);
#endif
