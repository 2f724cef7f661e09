/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

struct cli_table {
    unsigned n_columns;
    size_t n_rows, cap;
    char **cells; /* n_rows * n_columns owned strings; row 0 is the titles */
    size_t width[CLI_TABLE_COLUMNS]; /* code points */
};

static size_t text_width(const char *text)
{
    size_t n = 0;
    return hale_str_utf8_count(hale_str_from(text), &n) == HALE_OK ? n : strlen(text);
}

char *cli_table_clean(char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    char *to = text;
    while (*from != '\0') {
        if (from[0] == 0xc2 && from[1] >= 0x80 && from[1] < 0xa0) {
            *to++ = '?';
            from += 2;
        } else {
            *to++ = *from < 0x20 || *from == 0x7f ? '?' : (char)*from;
            from++;
        }
    }
    *to = '\0';
    return text;
}

struct cli_table *cli_table_new(unsigned n_columns, const char *const *titles)
{
    HALE_ASSERT(n_columns >= 1 && n_columns <= CLI_TABLE_COLUMNS);
    struct cli_table *t = hale_xcalloc(1, sizeof(*t));
    t->n_columns = n_columns;
    cli_table_row(t, titles);
    return t;
}

void cli_table_row(struct cli_table *t, const char *const *cells)
{
    if (t->n_rows == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        char **grown = hale_xcalloc(cap * t->n_columns, sizeof(*grown));
        if (t->n_rows > 0)
            memcpy(grown, t->cells, t->n_rows * t->n_columns * sizeof(*grown));
        free(t->cells);
        t->cells = grown;
        t->cap = cap;
    }
    for (unsigned c = 0; c < t->n_columns; c++) {
        char *copy =
            hale_xstrdup(cells[c] != NULL && cells[c][0] != '\0' ? cells[c] : "-");
        cli_table_clean(copy);
        size_t width = text_width(copy);
        if (width > t->width[c])
            t->width[c] = width;
        t->cells[t->n_rows * t->n_columns + c] = copy;
    }
    t->n_rows++;
}

size_t cli_table_count(const struct cli_table *t)
{
    return t->n_rows - 1;
}

void cli_table_print(struct cli_table *t)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        for (unsigned c = 0; c < t->n_columns; c++) {
            char *cell = t->cells[r * t->n_columns + c];
            fputs(cell, stdout);
            if (c + 1 < t->n_columns)
                for (size_t w = text_width(cell); w < t->width[c] + 2; w++)
                    putchar(' ');
        }
        putchar('\n');
    }
    cli_table_free(t);
}

void cli_table_free(struct cli_table *t)
{
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void cli_table_text(const char *text)
{
    char *copy = hale_xstrdup(text);
    fputs(cli_table_clean(copy), stdout);
    free(copy);
}
