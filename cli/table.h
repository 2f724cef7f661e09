/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_TABLE_H
#define HALE_CLI_TABLE_H
/*
 * table - rows of text in aligned columns on standard output. Control characters are shown as '?':
 * nothing that a monitored thing wrote may move the terminal's cursor.
 * Limits:    CLI_TABLE_COLUMNS columns. Threads: one.
 */
#include <stddef.h>

#define CLI_TABLE_COLUMNS 8

struct cli_table;

/* titles: n_columns literals. Exits the process when memory is out (a command line may). */
struct cli_table *cli_table_new(unsigned n_columns, const char *const *titles);
/* cells: n_columns texts, copied; NULL is shown as "-". */
void cli_table_row(struct cli_table *t, const char *const *cells);
size_t cli_table_count(const struct cli_table *t);
/* Prints titles and rows, frees the table. The last column is not padded. */
void cli_table_print(struct cli_table *t);
void cli_table_free(struct cli_table *t); /* without printing */
/* Prints text to standard output with control characters as '?'. */
void cli_table_text(const char *text);
/* Makes control characters '?', in place: those of ASCII, DEL and the C1 set (U+0080..U+009F), which
 * terminals obey too. Returns text. */
char *cli_table_clean(char *text);
#endif
