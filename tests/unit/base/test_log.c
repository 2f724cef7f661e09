/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int64_t now_ms; /* the clock of the test */

int64_t test_log_mono_ms(void);
int64_t test_log_mono_ms(void)
{
    return now_ms;
}

static FILE *capture;
static int real_stderr;
static char text[1 << 16];

static int start_capture(void **state)
{
    (void)state;
    capture = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    hale_log_init("hale-test", HALE_LOG_INFO);
    return capture != NULL && dup2(fileno(capture), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int stop_capture(void **state)
{
    (void)state;
    (void)dup2(real_stderr, STDERR_FILENO);
    (void)close(real_stderr);
    (void)fclose(capture);
    return 0;
}

/* Number of lines written since the last call; the text is in text. */
static unsigned lines(void)
{
    unsigned n = 0;
    size_t len = 0;
    ssize_t got;
    (void)lseek(fileno(capture), 0, SEEK_SET);
    while ((got = read(fileno(capture), text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        n++;
    assert_int_equal(ftruncate(fileno(capture), 0), 0);
    (void)lseek(fileno(capture), 0, SEEK_SET);
    return n;
}

static void test_shape(void **state)
{
    (void)state;
    hale_info("event=start port=%d", 80);
    assert_int_equal(lines(), 1);
    assert_int_equal(text[23], 'Z');
    assert_string_equal(text + 24, " info hale-test event=start port=80\n");
    hale_warn("event=odd text=%s", "a\nb\x1b[31m");
    assert_int_equal(lines(), 1);
    assert_string_equal(text + 24, " warn hale-test event=odd text=a?b?[31m\n");
}

static void test_levels(void **state)
{
    enum hale_log_level level = HALE_LOG_INFO;
    (void)state;
    hale_debug("event=hidden");
    assert_int_equal(lines(), 0);
    hale_log_set_level(HALE_LOG_DEBUG);
    hale_debug("event=shown");
    assert_int_equal(lines(), 1);
    hale_log_set_level(HALE_LOG_ERROR);
    hale_warn("event=hidden");
    hale_error("event=shown");
    assert_int_equal(lines(), 1);
    assert_int_equal(hale_log_level_parse("warn", &level), HALE_OK);
    assert_int_equal(level, HALE_LOG_WARN);
    assert_int_equal(hale_log_level_parse("WARN", &level), HALE_E_INVAL);
    assert_int_equal(hale_log_level_parse("", &level), HALE_E_INVAL);
}

static void say(int64_t at_ms)
{
    now_ms = at_ms;
    hale_warn("event=again");
}

static void test_rationing(void **state)
{
    (void)state;
    for (int i = 0; i < 46; i++)
        say(1000 + i);
    assert_int_equal(lines(), 5);
    assert_null(strstr(text, "suppressed"));
    say(10999);
    assert_int_equal(lines(), 0);
    say(11000);
    assert_int_equal(lines(), 1);
    assert_non_null(strstr(text, "event=again suppressed=42\n"));
    say(11001);
    assert_int_equal(lines(), 1);
    assert_null(strstr(text, "suppressed"));
}

static void cry(int64_t at_ms)
{
    now_ms = at_ms;
    hale_error("event=broken");
}

static void test_errors_keep_coming(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) /* 100 a second for a full window */
        cry(100000 + i * 10);
    assert_int_equal(lines(), 5 + 9);
    cry(110000);
    assert_int_equal(lines(), 1);
    /* 986 were suppressed in all; 89 of them or so were told with each line that passed. */
    assert_non_null(strstr(text, "suppressed=99\n"));
}

static void test_long_line(void **state)
{
    char longer[5000];
    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    hale_info("event=long text=%s", longer);
    assert_int_equal(lines(), 1);
    assert_true(strlen(text) > 2000 && strlen(text) <= 2048);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_quote(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } rows[] = {
        {"plain", 50, "plain"},
        {"", 50, "\"\""},
        {"two words", 50, "\"two words\""},
        {"a=b", 50, "\"a=b\""},
        {"say \"hi\"\\", 50, "\"say \\\"hi\\\"\\\\\""},
        {"\n\t\x01\x7f", 50, "\"\\n\\t\\x01\\x7f\""},
        {"caf\xc3\xa9", 50, "caf\xc3\xa9"},
        {"plain", 4, "pla"},
        {"two words", 7, "\"two \""},
        {"ab\x01 z", 8, "\"ab\""},
        {"a b", 3, "\"\""},
        {"a b", 2, ""},
        {"a b", 1, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *dst = malloc(rows[i].size); /* exact, for AddressSanitizer */
        assert_string_equal(hale_log_quote(rows[i].in, dst, rows[i].size), rows[i].out);
        free(dst);
    }
}

static void *chatter(void *arg)
{
    for (int i = 0; i < 1000; i++)
        hale_info("event=chatter i=%d", i);
    return arg;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, NULL), 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(lines(), 5);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, start_capture, stop_capture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(test_shape),     CAPTURED(test_levels),
        CAPTURED(test_rationing), CAPTURED(test_errors_keep_coming),
        CAPTURED(test_long_line), cmocka_unit_test(test_quote),
        CAPTURED(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
