/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_QUEUE_H
#define HALE_BASE_QUEUE_H
/*
 * queue - bounded queue of owned pointers between threads (any producers, any consumers).
 * Purpose:   hand requests to a worker thread and back. One mutex, held O(1); an eventfd makes
 *            it pollable beside sockets.
 * Ownership: push takes the item when it returns HALE_OK; pop gives it to the caller; free
 *            drops the rest through item_free.
 * Errors:    push: HALE_E_LIMIT when full (the caller answers 503 or counts a drop),
 *            HALE_E_CLOSED after close.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

struct hale_queue;

struct hale_queue *hale_queue_new(size_t capacity, void (*item_free)(void *item));
void hale_queue_free(struct hale_queue *q); /* no thread may still use it */
HALE_MUST_CHECK enum hale_rc hale_queue_push(struct hale_queue *q, void *item);
/* Waits up to timeout_ms (-1: for ever, 0: not at all). NULL: timed out, or closed and empty. */
void *hale_queue_pop(struct hale_queue *q, int64_t timeout_ms);
/* Takes up to max items at once without waiting; returns how many. */
size_t hale_queue_drain(struct hale_queue *q, void **items_out, size_t max);
void hale_queue_close(struct hale_queue *q);   /* wakes every waiter */
int hale_queue_fd(const struct hale_queue *q); /* readable while items wait or closed */
size_t hale_queue_len(struct hale_queue *q);
#endif
