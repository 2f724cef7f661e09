/* SPDX-License-Identifier: Apache-2.0 */
/* token - `hale token create|list|revoke`: the collector's file of hashed tokens, without a server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "collector/token_file.h"

#define DEFAULT_FILE "/etc/hale/tokens.yaml"

static const char *file_of(const struct cli_options *o)
{
    return o->file != NULL ? o->file : DEFAULT_FILE;
}

static int usage_error(const struct hale_err *err)
{
    (void)cli_fail(err);
    return CLI_USAGE;
}

/* --- telling the collector ---------------------------------------------------------------- */

/* A pid, or the first word of a file. */
static enum hale_rc read_pid(const char *text, pid_t *out, struct hale_err *err)
{
    struct hale_buf file;
    struct hale_str word = hale_str_from(text);
    int64_t pid = 0;

    hale_buf_init(&file, 4096);
    if (hale_str_i64(word, &pid) != HALE_OK) {
        enum hale_rc rc = hale_fs_read(text, &file, err);
        if (rc != HALE_OK) {
            hale_buf_fini(&file);
            return rc;
        }
        struct hale_str rest = hale_str_trim(hale_buf_str(&file));
        struct hale_str line = hale_str_split(&rest, '\n');
        word = hale_str_split(&line, ' ');
        if (hale_str_i64(word, &pid) != HALE_OK)
            pid = 0;
    }
    hale_buf_fini(&file);
    if (pid <= 1 || pid > INT32_MAX)
        return hale_err_set(err, HALE_E_INVAL,
                            "--reload wants the collector's pid or a file that holds it");
    *out = (pid_t)pid;
    return HALE_OK;
}

static int tell(const struct cli_options *o)
{
    struct hale_err err = {0};
    pid_t pid = 0;

    if (o->reload == NULL) {
        (void)fprintf(stderr, "hale: the collector reads the file at SIGHUP: systemctl "
                              "reload hale-collector, or --reload PID\n");
        return CLI_OK;
    }
    if (read_pid(o->reload, &pid, &err) == HALE_OK && kill(pid, SIGHUP) != 0)
        (void)hale_err_set(&err, HALE_E_DENIED, "cannot signal process %ld: %s",
                           (long)pid, strerrordesc_np(errno));
    if (err.rc != HALE_OK) { /* the file is changed already */
        (void)cli_fail(&err);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* --- create ----------------------------------------------------------------------------------- */

static enum hale_rc read_roles(const struct cli_options *o, unsigned *out,
                               struct hale_err *err)
{
    *out = 0;
    for (unsigned i = 0; i < o->n_roles; i++) {
        struct hale_str rest = hale_str_from(o->roles[i]);
        while (rest.p != NULL) {
            struct hale_str word = hale_str_split(&rest, ',');
            unsigned bit = collector_role_parse(word);
            if (hale_str_eq_c(word, "admin"))
                bit = COLLECTOR_OPERATOR;
            if (bit == 0)
                return hale_err_set(err, HALE_E_INVAL,
                                    "unknown role '%.*s': operator (or admin), agent, "
                                    "read-only, delegate",
                                    (int)word.len, word.p);
            *out |= bit;
        }
    }
    if (*out == 0)
        return hale_err_set(
            err, HALE_E_INVAL,
            "give at least one --role: operator, agent, read-only, delegate");
    return HALE_OK;
}

static enum hale_rc read_expires(const char *text, int64_t *out, struct hale_err *err)
{
    int64_t now_ms = hale_clock_wall_ms(), ms = 0;

    *out = INT64_MAX;
    if (text == NULL)
        return HALE_OK;
    if (hale_str_duration_ms(hale_str_from(text), &ms) == HALE_OK && ms > 0 &&
        ms < INT64_MAX / 2) {
        *out = (now_ms + ms + 999) / 1000 * 1000; /* the file has seconds */
        return HALE_OK;
    }
    if (hale_clock_parse_iso(hale_str_from(text), out) == HALE_OK && *out > now_ms)
        return HALE_OK;
    return hale_err_set(err, HALE_E_INVAL,
                        "--expires '%s' is neither a duration such as 90d nor a time to "
                        "come such as 2030-01-01T00:00:00Z",
                        text);
}

static enum hale_rc fill(const struct cli_options *o, const char *name,
                         struct collector_token_entry *e, struct hale_err *err)
{
    size_t points = 0;

    if (name[0] == '\0' || strlen(name) > COLLECTOR_TOKEN_NAME_MAX ||
        hale_str_utf8_count(hale_str_from(name), &points) != HALE_OK ||
        strpbrk(name, "\n\r\t") != NULL)
        return hale_err_set(err, HALE_E_INVAL, "a name has 1 to %d bytes on one line",
                            COLLECTOR_TOKEN_NAME_MAX);
    if (o->tenant == NULL || !collector_tenant_ok(o->tenant))
        return hale_err_set(err, HALE_E_INVAL,
                            "give --tenant, 1 to 64 of the characters A-Za-z0-9_.-");
    memcpy(e->who.name, name, strlen(name) + 1);
    memcpy(e->who.tenant, o->tenant, strlen(o->tenant) + 1);
    enum hale_rc rc = read_roles(o, &e->who.roles, err);
    return rc == HALE_OK ? read_expires(o->expires, &e->expires_ms, err) : rc;
}

int cli_token_create(const struct cli_options *o, const char *name)
{
    struct collector_token_entry entry = {0};
    struct hale_err err = {0};
    char text[COLLECTOR_TOKEN_TEXT_MAX];

    if (fill(o, name, &entry, &err) != HALE_OK)
        return usage_error(&err);
    enum hale_rc rc = collector_token_file_add(file_of(o), &entry, text, &err);
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? usage_error(&err) : cli_fail(&err);
    puts(text);
    return tell(o);
}

/* --- list, revoke ------------------------------------------------------------------------------ */

static const char *roles_text(unsigned roles, char *dst, size_t size)
{
    size_t used = 0;

    dst[0] = '\0';
    for (unsigned bit = 1; bit <= COLLECTOR_DELEGATE; bit <<= 1) {
        if ((roles & bit) == 0)
            continue;
        int n = snprintf(dst + used, size - used, "%s%s", used > 0 ? "," : "",
                         collector_role_text(bit));
        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
    return dst;
}

int cli_token_list(const struct cli_options *o)
{
    static const char *const titles[] = {"NAME", "TENANT", "ROLES", "EXPIRES"};
    struct collector_token_table *table = NULL;
    struct hale_err err = {0};
    json_t *list = json_array();

    if (collector_token_table_load(file_of(o), &table, &err) != HALE_OK) {
        json_decref(list);
        return usage_error(&err);
    }
    struct cli_table *out = cli_table_new(4, titles);
    for (size_t i = 0; i < collector_token_table_count(table); i++) {
        struct collector_identity who;
        int64_t expires_ms;
        char iso[HALE_CLOCK_ISO_MAX], roles[64], when[64] = "never";
        collector_token_table_row(table, i, &who, &expires_ms, NULL);
        if (expires_ms != INT64_MAX)
            (void)snprintf(when, sizeof(when), "%s%s", hale_clock_iso_s(expires_ms, iso),
                           expires_ms <= hale_clock_wall_ms() ? " (over)" : "");
        (void)roles_text(who.roles, roles, sizeof(roles));
        cli_table_row(out, (const char *const[]){who.name, who.tenant, roles, when});
        (void)json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:s,s:s?}", "name", who.name, "tenant", who.tenant,
                      "roles", roles, "expires", expires_ms != INT64_MAX ? iso : NULL));
    }
    if (o->json) {
        (void)cli_print_json(list);
        cli_table_free(out);
    } else {
        cli_table_print(out);
    }
    json_decref(list);
    collector_token_table_free(table);
    return CLI_OK;
}

int cli_token_revoke(const struct cli_options *o, const char *name)
{
    struct hale_err err = {0};
    enum hale_rc rc = collector_token_file_remove(file_of(o), name, &err);

    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? usage_error(&err) : cli_fail(&err);
    return tell(o);
}
