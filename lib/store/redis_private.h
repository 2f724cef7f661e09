/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_REDIS_PRIVATE_H
#define HALE_STORE_REDIS_PRIVATE_H
/*
 * redis_private - what redis.c (commands), redis_dial.c (addresses, connecting) and reply.c
 * (parsing, replies) share. Only redis.c and reply.c include hiredis; nobody else includes this.
 * Purpose:   hiredis' reader builds our own reply objects, one allocation each, so a value read
 *            from the socket is copied once out of the reader's buffer and never again.
 */
#include <stddef.h>
#include <stdint.h>

#include "store/redis.h"

struct redisReader;

enum hale_reply_type {
    HALE_REPLY_NIL,
    HALE_REPLY_INT,
    HALE_REPLY_STRING,
    HALE_REPLY_STATUS,
    HALE_REPLY_ERROR,
    HALE_REPLY_ARRAY
};

#define HALE_REPLY_MAGIC 0x7e91a001u
/* Array elements a reply may have: more could not arrive within the ceiling of 512 MiB. */
#define HALE_REPLY_ITEMS_MAX (32 * 1024 * 1024)

struct hale_reply {
    unsigned magic;
    enum hale_reply_type type;
    bool nested;              /* element of an array: freed with it */
    size_t n;                 /* bytes of text, or elements */
    int64_t integer;          /* HALE_REPLY_INT */
    char *text;               /* behind this struct, NUL-terminated; or NULL */
    struct hale_reply **item; /* behind this struct; or NULL */
};

/* A reader that builds struct hale_reply. NULL on memory failure. */
struct redisReader *hale_reply_reader_new(void);
/* -LOADING, -BUSY, -MASTERDOWN: the server will be able to do it later. */
bool hale_reply_is_retry(const struct hale_reply *p);

/* Connects to url. HALE_E_INVAL: no address; HALE_E_IO: err tells why. The descriptor does not
 * block. */
enum hale_rc hale_redis_dial(const char *url, int64_t timeout_ms, int *fd_out,
                             struct hale_err *err);
/* Waits for poll events until the monotonic deadline. HALE_E_AGAIN: time is up. */
enum hale_rc hale_redis_wait_fd(int fd, short events, int64_t deadline_ms);
#endif
