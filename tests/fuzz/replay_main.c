/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_main - runs LLVMFuzzerTestOneInput over the files named and over every file below the
 * directories named, so that corpora are tests in builds without libFuzzer. A path that is not
 * there is skipped. The empty input always runs. Each input is an exact heap copy, so that
 * AddressSanitizer sees a read beyond its end.
 */
#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_INPUT_BYTES (16u << 20)

static void run_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        exit(2);
    }
    if (size > 0)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path, uint8_t *space)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fprintf(stderr, "replay: cannot open %s: %s\n", path, strerrordesc_np(errno));
        return -1;
    }
    size_t n = fread(space, 1, MAX_INPUT_BYTES, f);
    int bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        return -1;
    }
    run_input(space, n);
    return 0;
}

/* Number of inputs run below the paths, or -1 after a file that could not be read. */
static long run_paths(char *const *paths, uint8_t *space)
{
    long count = 0;
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (tree == NULL)
        return -1;
    for (FTSENT *entry; count >= 0 && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info == FTS_F)
            count = run_file(entry->fts_path, space) == 0 ? count + 1 : -1;
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            count = -1;
    }
    (void)fts_close(tree);
    return count;
}

int main(int argc, char **argv)
{
    static uint8_t space[MAX_INPUT_BYTES];

    run_input(space, 0);
    long count = argc > 1 ? run_paths(argv + 1, space) : 0;
    if (count < 0)
        return 1;
    printf("replay: %ld files\n", count);
    return 0;
}
