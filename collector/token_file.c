/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "model/yaml.h"

#define FILE_MAX (4u << 20) /* what the reader takes */

/* --- text ------------------------------------------------------------------------------------ */

static void add_item(const char *indent, const struct collector_token_entry *e,
                     const char *sha256_hex, struct hale_buf *out)
{
    char iso[HALE_CLOCK_ISO_MAX];
    bool first = true;

    hale_buf_printf(out, "%s- name: ", indent);
    hale_buf_add_json(out, hale_str_from(e->who.name)); /* JSON's strings are YAML's */
    hale_buf_printf(out, "\n%s  sha256: \"%s\"\n%s  tenant: ", indent, sha256_hex,
                    indent);
    hale_buf_add_json(out, hale_str_from(e->who.tenant));
    hale_buf_printf(out, "\n%s  roles: [", indent);
    for (unsigned bit = 1; bit <= COLLECTOR_DELEGATE; bit <<= 1) {
        if ((e->who.roles & bit) == 0)
            continue;
        hale_buf_printf(out, "%s%s", first ? "" : ", ", collector_role_text(bit));
        first = false;
    }
    hale_buf_add_c(out, "]\n");
    if (e->expires_ms != INT64_MAX)
        hale_buf_printf(out, "%s  expires: %s\n", indent,
                        hale_clock_iso_s(e->expires_ms, iso));
}

/* Blanks before the dash of the last item, "" when there is none. */
static void find_indent(struct hale_str text, char *dst, size_t size)
{
    dst[0] = '\0';
    while (text.p != NULL) {
        struct hale_str line = hale_str_split(&text, '\n');
        size_t blanks = 0;
        while (blanks < line.len && line.p[blanks] == ' ')
            blanks++;
        if (blanks + 1 < line.len && line.p[blanks] == '-' && line.p[blanks + 1] == ' ' &&
            blanks < size) {
            memset(dst, ' ', blanks);
            dst[blanks] = '\0';
        }
    }
}

/* The list in the order of its names, comments lost. Returns how many. */
static size_t write_items(const struct collector_token_table *table, const char *without,
                          struct hale_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < collector_token_table_count(table); i++) {
        struct collector_token_entry e;
        char hex[2 * COLLECTOR_TOKEN_SHA_BYTES + 1];
        collector_token_table_row(table, i, &e.who, &e.expires_ms, hex);
        if (without != NULL && strcmp(e.who.name, without) == 0)
            continue;
        add_item("  ", &e, hex, out);
        n++;
    }
    return n;
}

static void begin_anew(struct hale_buf *out)
{
    hale_buf_reset(out);
    hale_buf_add_c(out, "# Hashed tokens of the collector; changed by `hale token`.\n");
}

static bool name_is_there(const struct collector_token_table *table, const char *name)
{
    for (size_t i = 0; i < collector_token_table_count(table); i++) {
        struct collector_identity who;
        int64_t expires_ms;
        collector_token_table_row(table, i, &who, &expires_ms, NULL);
        if (strcmp(who.name, name) == 0)
            return true;
    }
    return false;
}

/* b is a without name, and nothing else has changed. */
static bool is_without(const struct collector_token_table *a, struct hale_str b,
                       const char *name)
{
    struct collector_token_table *table = NULL;
    struct hale_buf left, right;
    struct hale_err ignored;

    if (collector_token_table_read(b, "the new tokens file", &table, &ignored) != HALE_OK)
        return false;
    hale_buf_init(&left, FILE_MAX);
    hale_buf_init(&right, FILE_MAX);
    (void)write_items(a, name, &left);
    (void)write_items(table, NULL, &right);
    bool same = !left.failed && !right.failed &&
                hale_str_eq(hale_buf_str(&left), hale_buf_str(&right));
    hale_buf_fini(&left);
    hale_buf_fini(&right);
    collector_token_table_free(table);
    return same;
}

/* now is before with one token more, name. */
static bool is_one_more(struct hale_str now, struct hale_str before, const char *name,
                        struct hale_err *err)
{
    struct collector_token_table *table = NULL;

    if (collector_token_table_read(now, "the new tokens file", &table, err) != HALE_OK)
        return false;
    bool good = name_is_there(table, name) && is_without(table, before, name);
    if (!good)
        (void)hale_err_set(err, HALE_E_INVAL, "the new tokens file would not be right");
    collector_token_table_free(table);
    return good;
}

enum hale_rc collector_token_text_add(struct hale_str text,
                                      const struct collector_token_entry *entry,
                                      const char *sha256_hex, struct hale_buf *out,
                                      struct hale_err *err)
{
    struct collector_token_table *old = NULL;
    char indent[64];

    enum hale_rc rc = collector_token_table_read(text, "the tokens file", &old, err);
    if (rc != HALE_OK)
        return rc;
    if (name_is_there(old, entry->who.name)) {
        rc = hale_err_set(err, HALE_E_EXISTS,
                          "a token named %s is there already; revoke it first or take "
                          "another name",
                          entry->who.name);
    } else {
        hale_buf_add_str(out, text);
        if (text.len > 0 && text.p[text.len - 1] != '\n')
            hale_buf_add_char(out, '\n');
        find_indent(text, indent, sizeof(indent));
        add_item(indent, entry, sha256_hex, out);
        if (!is_one_more(hale_buf_str(out), text, entry->who.name, err)) {
            begin_anew(out);
            hale_buf_add_c(out, "tokens:\n");
            write_items(old, NULL, out);
            add_item("  ", entry, sha256_hex, out);
            rc = is_one_more(hale_buf_str(out), text, entry->who.name, err) ? HALE_OK
                                                                            : err->rc;
        }
    }
    collector_token_table_free(old);
    return rc;
}

/* Appends the lines of text but [from, to), counted from 1. */
static void copy_lines(struct hale_str text, int from, int to, struct hale_buf *out)
{
    int at = 1;

    while (text.p != NULL && text.len > 0) {
        struct hale_str line = hale_str_split(&text, '\n');
        if (at < from || at >= to) {
            hale_buf_add_str(out, line);
            hale_buf_add_char(out, '\n');
        }
        at++;
    }
}

/* Line (from 1) behind the last one that is neither blank nor a comment in [from, to). */
static int end_of_item(struct hale_str text, int from, int to)
{
    int at = 1, end = from + 1;

    while (text.p != NULL && text.len > 0 && at < to) {
        struct hale_str line = hale_str_trim(hale_str_split(&text, '\n'));
        if (at >= from && line.len > 0 && line.p[0] != '#')
            end = at + 1;
        at++;
    }
    return end;
}

/* The lines of the item of that name; false: not found, or the list is not written line by line. */
static bool find_item(struct hale_str text, const char *name, int *from, int *to)
{
    struct hale_yaml *doc = NULL;
    struct hale_err ignored;
    bool found = false;

    if (hale_yaml_load(text, "the tokens file", &doc, &ignored) != HALE_OK)
        return false;
    const struct hale_yaml_node *list = hale_yaml_get(hale_yaml_root(doc), "tokens");
    for (size_t i = 0; !found && i < hale_yaml_count(list); i++) {
        const struct hale_yaml_node *item = hale_yaml_item(list, i);
        const struct hale_yaml_node *next =
            i + 1 < hale_yaml_count(list) ? hale_yaml_item(list, i + 1) : NULL;
        if (!hale_str_eq_c(hale_yaml_text(hale_yaml_get(item, "name")), name))
            continue;
        *from = hale_yaml_line(item);
        *to = end_of_item(text, *from, next != NULL ? hale_yaml_line(next) : INT_MAX);
        found = true;
    }
    hale_yaml_free(doc);
    return found;
}

enum hale_rc collector_token_text_remove(struct hale_str text, const char *name,
                                         struct hale_buf *out, struct hale_err *err)
{
    struct collector_token_table *old = NULL;
    int from = 0, to = 0;

    enum hale_rc rc = collector_token_table_read(text, "the tokens file", &old, err);
    if (rc != HALE_OK)
        return rc;
    if (!name_is_there(old, name)) {
        rc = hale_err_set(err, HALE_E_NOTFOUND,
                          "there is no token named %s; hale token list shows them", name);
    } else {
        if (find_item(text, name, &from, &to))
            copy_lines(text, from, to, out);
        if (out->failed || !is_without(old, hale_buf_str(out), name)) {
            begin_anew(out);
            hale_buf_add_c(out, "tokens:\n");
            if (write_items(old, name, out) == 0) {
                begin_anew(out);
                hale_buf_add_c(out, "tokens: []\n");
            }
            if (!is_without(old, hale_buf_str(out), name))
                rc = hale_err_set(err, HALE_E_LIMIT, "the new file cannot be written");
        }
    }
    collector_token_table_free(old);
    return rc;
}

/* --- file ------------------------------------------------------------------------------------ */

static enum hale_rc failed(struct hale_err *err, const char *path, const char *verb)
{
    enum hale_rc rc = hale_rc_from_errno(errno);

    return hale_err_at(err, rc, path, 0, 0, "cannot %s: %s", verb,
                       strerrordesc_np(errno));
}

/* Waits for another changer, who is done in milliseconds. */
static enum hale_rc lock(const char *path, int *fd_out, struct hale_err *err)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof(name), "%s.lock", path);

    if (n < 0 || (size_t)n >= sizeof(name))
        return hale_err_set(err, HALE_E_LIMIT, "the file's name is too long");
    *fd_out = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd_out < 0)
        return failed(err, name, "open");
    if (flock(*fd_out, LOCK_EX) != 0) {
        enum hale_rc rc = failed(err, name, "lock");
        (void)close(*fd_out);
        return rc;
    }
    return HALE_OK;
}

/* The text of the file; of one that is not there, that of an empty one. */
static enum hale_rc read_text(const char *path, struct hale_buf *out, struct stat *st,
                              struct hale_err *err)
{
    if (stat(path, st) != 0) {
        if (errno != ENOENT)
            return failed(err, path, "open");
        memset(st, 0, sizeof(*st));
        begin_anew(out);
        hale_buf_add_c(out, "tokens: []\n");
        return HALE_OK;
    }
    return hale_fs_read(path, out, err);
}

static enum hale_rc replace(const char *path, const struct hale_buf *text,
                            const struct stat *old, struct hale_err *err)
{
    char name[PATH_MAX];
    unsigned mode = old->st_mode != 0 ? (unsigned)old->st_mode & 0666u : 0600u;
    int n = snprintf(name, sizeof(name), "%s.new", path);

    if (n < 0 || (size_t)n >= sizeof(name))
        return hale_err_set(err, HALE_E_LIMIT, "the file's name is too long");
    enum hale_rc rc = hale_fs_write(name, text->p, text->len, 0600, err);
    if (rc != HALE_OK)
        return rc;
    /* The owner before the mode: nobody may read in between who could not before. */
    if (old->st_mode != 0 && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
        chown(name, old->st_uid, old->st_gid) != 0)
        rc = failed(err, path, "keep the owner of");
    if (rc == HALE_OK && (chmod(name, (mode_t)mode) != 0 || rename(name, path) != 0))
        rc = failed(err, path, "replace");
    if (rc != HALE_OK)
        (void)unlink(name);
    return rc == HALE_OK ? hale_fs_sync_parent(path, err) : rc;
}

static bool new_token(char text[COLLECTOR_TOKEN_TEXT_MAX],
                      char hex[2 * COLLECTOR_TOKEN_SHA_BYTES + 1])
{
    unsigned char bytes[32], sha[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    hale_id_random(bytes, sizeof(bytes));
    hale_str_hex(bytes, sizeof(bytes), text);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    bool ok = EVP_Digest(text, strlen(text), sha, &n, EVP_sha256(), NULL) == 1;
    hale_str_hex(sha, COLLECTOR_TOKEN_SHA_BYTES, hex);
    return ok && n == COLLECTOR_TOKEN_SHA_BYTES;
}

/* add: the entry; NULL: remove name. */
static enum hale_rc change(const char *path, const struct collector_token_entry *add,
                           const char *sha256_hex, const char *name, struct hale_err *err)
{
    struct hale_buf text, out;
    struct stat st;
    int fd = -1;

    enum hale_rc rc = lock(path, &fd, err);
    if (rc != HALE_OK)
        return rc;
    hale_buf_init(&text, FILE_MAX);
    hale_buf_init(&out, FILE_MAX);
    rc = read_text(path, &text, &st, err);
    if (rc == HALE_OK)
        rc = add != NULL
                 ? collector_token_text_add(hale_buf_str(&text), add, sha256_hex, &out,
                                            err)
                 : collector_token_text_remove(hale_buf_str(&text), name, &out, err);
    if (rc == HALE_OK)
        rc = out.failed ? hale_err_set(err, HALE_E_LIMIT, "the file would be too large")
                        : replace(path, &out, &st, err);
    hale_buf_fini(&text);
    hale_buf_fini(&out);
    (void)close(fd);
    return rc;
}

enum hale_rc collector_token_file_add(const char *path,
                                      const struct collector_token_entry *entry,
                                      char text[COLLECTOR_TOKEN_TEXT_MAX],
                                      struct hale_err *err)
{
    char hex[2 * COLLECTOR_TOKEN_SHA_BYTES + 1];

    if (!new_token(text, hex))
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return change(path, entry, hex, NULL, err);
}

enum hale_rc collector_token_file_remove(const char *path, const char *name,
                                         struct hale_err *err)
{
    return change(path, NULL, NULL, name, err);
}
