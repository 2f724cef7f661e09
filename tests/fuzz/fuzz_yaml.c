/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_yaml - any bytes give a tree that can be walked, or an error with a text. A map is also
 * read through a table of every type.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "model/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    char *text;
    bool flag;
    int64_t number, wait_ms, bytes;
    double ratio;
    int mode;
    const struct hale_yaml_node *node;
};
static const char *const modes[] = {"observe", "auto", NULL};
static const struct hale_conf_field fields[] = {
    {"text", HALE_CONF_STRING, offsetof(struct target, text), false, "x", 0, 0, NULL,
     "h"},
    {"flag", HALE_CONF_BOOL, offsetof(struct target, flag), false, "no", 0, 0, NULL, "h"},
    {"number", HALE_CONF_INT, offsetof(struct target, number), false, "1", 1, 9, NULL,
     "h"},
    {"wait", HALE_CONF_DURATION, offsetof(struct target, wait_ms), false, "1s", 1, 1e9,
     NULL, "h"},
    {"bytes", HALE_CONF_BYTES, offsetof(struct target, bytes), false, "1k", 0, 0, NULL,
     "h"},
    {"ratio", HALE_CONF_DOUBLE, offsetof(struct target, ratio), false, "0", 0, 1, NULL,
     "h"},
    {"mode", HALE_CONF_ENUM, offsetof(struct target, mode), false, "auto", 0, 0, modes,
     "h"},
    {"node", HALE_CONF_NODE, offsetof(struct target, node), false, NULL, 0, 0, NULL, "h"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static size_t walk(const struct hale_yaml_node *n, unsigned depth)
{
    size_t count = 1;
    HALE_ASSERT(n != NULL && depth <= 32 && hale_yaml_line(n) >= 1);
    for (size_t i = 0; i < hale_yaml_count(n); i++) {
        struct hale_str key;
        int line;
        if (hale_yaml_kind(n) == HALE_YAML_MAP)
            count += walk(hale_yaml_pair(n, i, &key, &line), depth + 1);
        else
            count += walk(hale_yaml_item(n, i), depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_yaml *y;
    struct hale_err err = {0};
    struct target t = {0};
    enum hale_rc rc =
        hale_yaml_load((struct hale_str){(const char *)data, size}, "f", &y, &err);
    if (rc == HALE_OK) {
        (void)walk(hale_yaml_root(y), 0);
        rc = hale_conf_read(hale_yaml_root(y), fields, N_FIELDS, &t, &err);
        if (rc == HALE_OK)
            HALE_ASSERT(t.text != NULL && t.number >= 1 && t.number <= 9);
        hale_conf_fini(fields, N_FIELDS, &t);
    } else {
        HALE_ASSERT(y == NULL);
    }
    if (rc != HALE_OK)
        HALE_ASSERT(err.rc == rc && err.text[0] != '\0' &&
                    strchr(err.text, '\n') == NULL);
    hale_yaml_free(y);
    return 0;
}
