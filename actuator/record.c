/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/record.h"

enum hale_rc actuator_record_decode(struct hale_str json, struct hale_log_record *out)
{
    enum hale_rc rc = hale_log_record_decode(json, out);
    if (rc == HALE_OK && out->kind == HALE_ALARM_DELETED && out->announce) {
        out->old_state = out->alarm.state;
        out->alarm.state = HALE_STATE_OK;
    }
    return rc;
}
