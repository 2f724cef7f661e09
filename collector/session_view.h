/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SESSION_VIEW_H
#define HALE_COLLECTOR_SESSION_VIEW_H
/*
 * session_view - a maintenance session's record (actuator/upkeep.h) as people and projects are shown it: pure.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* For its owner: state, percent, hosts, instances, what is waited for. New. */
json_t *collector_session_shown(const json_t *session);
/* One line of a list. New. */
json_t *collector_session_line(const json_t *session);
bool collector_session_ended(const json_t *session);
/* It has, or had, instances in it. */
bool collector_session_has_project(const json_t *session, const char *project);
/* The question that is open for the project, about that instance (NULL: about the project, or about any) or NULL;
 * borrowed. */
const json_t *collector_session_question(const json_t *session, const char *project,
                                         const char *instance);
/* The one about the work on a host (NULL: on any), which the administrator answers. */
const json_t *collector_session_work(const json_t *session, const char *host);
/* {"instance_ids":[...]} of what is asked now, else all of the project. New. */
json_t *collector_session_instances(const json_t *session, const char *project,
                                    const char *instance);
#endif
