/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters of the configuration, written there or in a kubeconfig (actuator/kubeconfig.h). */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuator/cluster.h"

/* "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" */
#define PEM64                                                                            \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCngKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char dir[] = "/tmp/hale-cluster-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    put("token", "t0k\n");
    put("ca.pem", "x");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"token", "ca.pem", "kube"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

/* text: a map of clusters, with DIR for the directory. */
static enum hale_rc read_conf(const char *text, struct actuator_clusters *out,
                              struct hale_err *err)
{
    char full[2048];
    struct hale_yaml *y = NULL;
    memset(out, 0, sizeof(*out));
    size_t n = 0;
    for (const char *p = text; *p != '\0' && n + sizeof(dir) < sizeof(full);)
        if (strncmp(p, "DIR", 3) == 0) {
            memcpy(full + n, dir, sizeof(dir) - 1);
            n += sizeof(dir) - 1;
            p += 3;
        } else {
            full[n++] = *p++;
        }
    full[n] = '\0';
    assert_int_equal(hale_yaml_load(hale_str_from(full), "conf", &y, err), HALE_OK);
    enum hale_rc rc = actuator_clusters_read(hale_yaml_root(y), out, err);
    hale_yaml_free(y);
    return rc;
}

#define KUBE(cluster, user)                                                              \
    "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: here\n"             \
    "clusters:\n- name: c\n  cluster: {" cluster "}\n"                                   \
    "- name: d\n  cluster: {server: \"https://d:6443/\"}\n"                              \
    "users:\n- name: u\n  user: {" user "}\n"                                            \
    "- name: v\n  user: {tokenFile: token}\n"                                            \
    "contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: ns}\n"         \
    "- name: there\n  context: {cluster: d, user: v}\n"                                  \
    "- name: lost\n  context: {cluster: cc, user: u}\n"
#define SERVER "server: \"https://c:6443\""

static void what_a_context_says(void **state)
{
    struct actuator_clusters all;
    struct hale_err err;
    (void)state;
    put("kube", KUBE(SERVER ", certificate-authority-data: " PEM64,
                     "client-certificate-data: " PEM64 ", client-key-data: " PEM64
                     ", client-key: /none, token: t1"));
    if (read_conf(
            "{a: {kubeconfig: DIR/kube}, b: {kubeconfig: DIR/kube, context: there}, "
            "e: {kubeconfig: DIR/kube, context: there, namespace: own}}",
            &all, &err) != HALE_OK)
        fail_msg("%s:%d: %s", err.source, err.line, err.text);
    const struct actuator_cluster *a = actuator_clusters_find(&all, "a");
    assert_string_equal(a->url, "https://c:6443");
    assert_string_equal(a->space, "ns");
    assert_string_equal(a->token, "t1");
    assert_non_null(strstr(a->ca_pem, "-----BEGIN CERTIFICATE-----\nx\n"));
    assert_non_null(a->cert_pem);
    assert_non_null(a->key_pem);
    assert_null(a->key_file); /* data goes before a file */
    const struct actuator_cluster *b = actuator_clusters_find(&all, "b");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/token", dir);
    assert_string_equal(b->url, "https://d:6443");
    assert_string_equal(b->token_file, path); /* relative to the file */
    assert_null(b->token);
    assert_string_equal(b->space, "default");
    assert_string_equal(actuator_clusters_find(&all, "e")->space, "own");
    actuator_clusters_fini(&all);
}

static void mistakes_have_a_line(void **state)
{
    static const struct {
        const char *kube, *conf, *file;
        int line;
        const char *words;
    } cases[] = {
        {KUBE(SERVER, "exec: {command: aws}"), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "exec: Hale runs no executable"},
        {KUBE(SERVER, "auth-provider: {name: gcp}"), "a:\n  kubeconfig: DIR/kube", "kube",
         12, "no such plugins"},
        {KUBE(SERVER, "username: a, password: b"), "a:\n  kubeconfig: DIR/kube", "kube",
         12, "no passwords"},
        {KUBE(SERVER, "token: t, as: root"), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "impersonate"},
        {KUBE(SERVER, "token: \"a b\""), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "blank"},
        {KUBE(SERVER, ""), "a:\n  kubeconfig: DIR/kube", "kube", 12, "neither token"},
        {KUBE(SERVER, "client-certificate: ca.pem"), "a:\n  kubeconfig: DIR/kube", "kube",
         12, "client-key (or client-key-data) is missing"},
        {KUBE(SERVER, "client-key-data: " PEM64), "a:\n  kubeconfig: DIR/kube", "kube",
         12, "client-certificate (or"},
        {KUBE(SERVER, "client-key-data: \"!\""), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "not base64"},
        {KUBE(SERVER, "client-key-data: Zm9v"), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "not PEM"},
        {KUBE(SERVER, "tokenFile: none"), "a:\n  kubeconfig: DIR/kube", "kube", 12,
         "tokenFile"},
        {KUBE("server: \"c:6443\"", "token: t"), "a:\n  kubeconfig: DIR/kube", "kube", 7,
         "server must be"},
        {KUBE("certificate-authority: ca.pem", "token: t"), "a:\n  kubeconfig: DIR/kube",
         "kube", 7, "server must be"},
        {KUBE(SERVER ", insecure-skip-tls-verify: true", "token: t"),
         "a:\n  kubeconfig: DIR/kube", "kube", 7, "give certificate-authority"},
        {KUBE(SERVER ", proxy-url: \"http://p\"", "token: t"),
         "a:\n  kubeconfig: DIR/kube", "kube", 7, "proxy-url"},
        {KUBE(SERVER ", tls-server-name: x", "token: t"), "a:\n  kubeconfig: DIR/kube",
         "kube", 7, "tls-server-name"},
        {KUBE(SERVER, "token: t"), "a:\n  kubeconfig: DIR/kube\n  context: ther", "conf",
         3, "has no context 'ther', did you mean 'there'?"},
        {KUBE(SERVER, "token: t"), "a:\n  kubeconfig: DIR/kube\n  context: lost", "kube",
         21, "there is no 'cc' in 'clusters'"},
        {"contexts: []\n", "a:\n  kubeconfig: DIR/kube", "conf", 2, "no current-context"},
        {"contexts: []\ncurrent-context: x\n", "a:\n  kubeconfig: DIR/kube", "kube", 2,
         "has no context 'x'"},
        {"kind: Config\n", "a:\n  kubeconfig: DIR/kube", "conf", 2, "no 'contexts'"},
        {"a: [\n", "a:\n  kubeconfig: DIR/kube", "kube", 0, ""},
        {"contexts: []\n", "a:\n  kubeconfig: DIR/none", "conf", 2, "kubeconfig"},
        {"x: 1\n", "a:\n  kubeconfig: DIR/kube\n  url: \"https://x\"", "conf", 3,
         "url: the kubeconfig says that"},
        {"x: 1\n", "a:\n  url: \"https://x\"\n  token_file: DIR/token\n  context: x",
         "conf", 4, "context belongs to kubeconfig"},
        {"x: 1\n", "a:\n  token_file: DIR/token", "conf", 2, "missing key 'url'"},
        {"x: 1\n", "a:\n  kubeconfg: DIR/token", "conf", 2, "did you mean 'kubeconfig'"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_clusters all;
        struct hale_err err = {0};
        put("kube", cases[i].kube);
        enum hale_rc rc = read_conf(cases[i].conf, &all, &err);
        if (rc != HALE_E_INVAL || strstr(err.text, cases[i].words) == NULL ||
            strstr(err.source, cases[i].file) == NULL ||
            (cases[i].line > 0 && err.line != cases[i].line))
            fail_msg("%zu: %d %s:%d: %s (wanted %s:%d: %s)", i, (int)rc, err.source,
                     err.line, err.text, cases[i].file, cases[i].line, cases[i].words);
        actuator_clusters_fini(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_context_says),
                                       cmocka_unit_test(mistakes_have_a_line)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
