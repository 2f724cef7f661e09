/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_topology_file - a topology as people write it. What is read, and written, reads the same again. */
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "model/topology_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *read_text(struct hale_str text)
{
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {0};
    json_t *body = NULL;
    if (hale_yaml_load(text, "f", &yaml, &err) == HALE_OK &&
        hale_topology_file_read(hale_yaml_root(yaml), &body, &err) != HALE_OK)
        HALE_ASSERT(body == NULL && err.text[0] != '\0');
    hale_yaml_free(yaml);
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_buf text;
    json_t *body = read_text((struct hale_str){(const char *)data, size});
    if (body == NULL)
        return 0;
    hale_buf_init(&text, 3u << 20);
    hale_topology_file_write(json_object_get(body, "put"),
                             json_string_value(json_object_get(body, "source")), &text);
    if (!text.failed) {
        json_t *again = read_text(hale_buf_str(&text));
        HALE_ASSERT(again != NULL && json_equal(body, again));
        json_decref(again);
    }
    hale_buf_fini(&text);
    json_decref(body);
    return 0;
}
