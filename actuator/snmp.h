/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SNMP_H
#define HALE_ACTUATOR_SNMP_H
/*
 * snmp - the words of SNMP with one manager over one socket (wraps libsnmp; nobody else includes it).
 * One notification at a time; nothing here waits: the owner polls the socket and watches the clock.
 * Version 3: an inform finds out the manager's engine first (RFC 3414, 4), with the first notification of a
 *            session; a trap is ours: our engine's time is seconds of the wall clock since 2020, so
 *            that it goes on over restarts, and beside another actuator with the same engine_id.
 * Not used of libsnmp: its sockets and its timers (both wait), its configuration files, its MIB
 *            parser, its log.
 * Ownership: open takes the descriptor, also when it fails.
 * Threads:   one for all sessions: libsnmp's users and engines are a global table.
 */
#include "actuator/conf_snmp.h"
#include "net/http_client.h"

struct actuator_snmp;

/* Ku of a passphrase (RFC 3414, A.2). false: libsnmp does not know the protocol. */
HALE_MUST_CHECK bool actuator_snmp_key(enum actuator_snmp_auth auth,
                                       struct hale_str passphrase,
                                       struct actuator_snmp_key *out);
/* fd: connected, non-blocking. conf: borrowed. NULL: no memory. */
struct actuator_snmp *actuator_snmp_open(const struct actuator_snmp_conf *conf, int fd);
void actuator_snmp_close(struct actuator_snmp *s);
/* body: of actuator_varbinds_write, not kept. uptime_cs: sysUpTime. What comes of it: _result. */
void actuator_snmp_send(struct actuator_snmp *s, struct hale_str body,
                        uint32_t uptime_cs);
/* The socket is readable, or broken. */
void actuator_snmp_read(struct actuator_snmp *s);
/* false: still under way. r->rc: HALE_OK: answered (a trap: handed to the network); HALE_E_INVAL: this one
 * is never taken; else HALE_E_IO. r->error is valid until the next send. */
bool actuator_snmp_result(const struct actuator_snmp *s, struct hale_http_result *r);
/* What to say when no answer came in time: a reason for a person. */
const char *actuator_snmp_silence(const struct actuator_snmp *s);
/* The manager hung up or something went wrong: close it and open another. */
bool actuator_snmp_is_broken(const struct actuator_snmp *s);
#endif
