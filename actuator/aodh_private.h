/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_AODH_PRIVATE_H
#define HALE_ACTUATOR_AODH_PRIVATE_H
/* aodh_private - between aodh.c (alarms, events), aodh_row.c (state, queue) and aodh_letter.c (dead letters).
 * Nobody else. */
#include "actuator/aodh.h"
#include "actuator/herald.h"
#include "base/map.h"

struct aodh_item { /* to be said yet */
    enum hale_state to;
    unsigned action; /* the next address of that state */
    int64_t seq;     /* of the record that made it; 0: none did */
    int64_t time_ms, tries;
    char *body; /* owned */
};
struct aodh_entry {
    struct hale_aodh *a;
    bool known; /* it has a row */
    enum hale_state state;
    int64_t since_ms;
    char *reason;                     /* owned, or NULL */
    char source[64];                  /* alarm of the outage that raised it, or "" */
    struct actuator_aodh_place met;   /* the last event that it was evaluated on */
    struct actuator_aodh_place heard; /* the same of events that are no outages */
    int64_t looked; /* record at whose end it was asked who is still out */
    unsigned n_queue;
    struct aodh_item queue[ACTUATOR_AODH_QUEUE];
    struct aodh_entry *next; /* of the same VM, or of the tenant's others */
};
struct actuator_aodh {
    struct actuator_aodh_io io;
    const struct actuator_conf *conf;
    const struct actuator_outages *outages;
    struct actuator_herald *herald;
    struct hale_map *entries; /* id -> struct aodh_entry */
    struct hale_map *by_vm;   /* tenant \n VM -> first struct aodh_entry */
    struct hale_map *others;  /* tenant -> first struct aodh_entry */
    struct actuator_deadletters *dead;
    struct aodh_letters *letters; /* that are sent again */
};
/* --- aodh_row.c --- */
void aodh_entry_free(void *entry);
void aodh_row_write(struct actuator_aodh *x, const struct aodh_entry *n);
enum hale_rc aodh_row_read(struct aodh_entry *n, struct hale_str json);
/* The entry is in that state from now on; its addresses are told. e NULL: nobody is. */
void aodh_row_change(struct actuator_aodh *x, struct aodh_entry *n, enum hale_state to,
                     const struct hale_aodh_event *e, int64_t now_us);
/* What there is to say is brought on its way. */
void aodh_row_tell(struct actuator_aodh *x, struct aodh_entry *n, int64_t now_us);
bool aodh_row_next(void *x, const char *key, struct hale_buf *url, struct hale_buf *body);
void aodh_row_done(void *x, const char *key, enum actuator_herald_end end,
                   const char *detail);
/* --- aodh_letter.c --- */
struct aodh_letters *aodh_letters_new(void); /* NULL: no memory */
void aodh_letters_free(struct aodh_letters *l);
/* The notice for its next address, or (all) for that and those after it. */
void aodh_letter_bury(struct actuator_aodh *x, const struct aodh_entry *n,
                      const struct aodh_item *q, enum actuator_dead_reason reason,
                      const char *detail);
void aodh_letter_bury_all(struct actuator_aodh *x, const struct aodh_entry *n,
                          const struct aodh_item *q, enum actuator_dead_reason reason,
                          const char *detail);
/* New wishes are brought on their way, some at a time. */
void aodh_letters_look(struct actuator_aodh *x, int64_t now_us);
bool aodh_letters_waiting(const struct actuator_aodh *x);
/* The key is one of letters. Then as aodh_row_next and aodh_row_done. */
bool aodh_letter_is(const char *key);
bool aodh_letter_next(struct actuator_aodh *x, const char *key, struct hale_buf *url,
                      struct hale_buf *body);
void aodh_letter_done(struct actuator_aodh *x, const char *key,
                      enum actuator_herald_end end);
#endif
