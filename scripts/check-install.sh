#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a temporary directory and checks that what was installed is whole and works:
# files, programs, manual pages, completion, units, examples. Usage: scripts/check-install.sh [build dir]
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
build=${1:-build/dev}
[ -f "$build/CMakeCache.txt" ] || {
    echo "$build is not a build directory; run: cmake --preset dev && cmake --build --preset dev" >&2
    exit 2
}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
bad=0

fail() {
    echo "check-install: $*"
    bad=1
}

DESTDIR=$tmp/root cmake --install "$build" >"$tmp/log" 2>&1 || {
    tail -n 20 "$tmp/log"
    exit 1
}
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:[A-Z]*=//p' "$build/CMakeCache.txt")
at=$tmp/root$prefix
daemons="collector thresholds correlator actuator agent"

want="bin/hale share/man/man1/hale.1 share/bash-completion/completions/hale lib/sysusers.d/hale.conf
lib/systemd/system/hale-redis.service share/doc/hale/LICENSE share/doc/hale/README.md
share/doc/hale/examples/redis.conf share/doc/hale/examples/policies.yaml share/hale/mibs/HALE-MIB.txt"
for name in $daemons; do
    want="$want bin/hale-$name share/man/man8/hale-$name.8 lib/systemd/system/hale-$name.service
share/doc/hale/examples/$name.yaml"
done
[ -f dashboards/dist/index.html ] && want="$want share/hale/dashboards/index.html"
for file in $want; do
    [ -s "$at/$file" ] || fail "$file is missing"
done
[ $bad -eq 0 ] || exit 1

# Programs: whole, each with its help; hale with the checker of each kind of file.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
"$at/bin/hale" --version >/dev/null || fail "hale --version fails"
for name in $daemons; do
    "$at/bin/hale-$name" --help >/dev/null || fail "hale-$name --help fails"
    "$at/bin/hale-$name" --version >/dev/null || fail "hale-$name --version fails"
done
"$at/bin/hale" check "$at/share/doc/hale/examples/policies.yaml" >/dev/null || fail "policies.yaml is not valid"

# Examples are valid: with their secrets in a directory of this test.
secrets=$tmp/etc
mkdir -p "$secrets"
echo token >"$secrets/agent.token"
for secret in $(grep -ohE '/etc/hale/[a-z0-9_.-]+(token|secret|password)\b' "$at"/share/doc/hale/examples/*.yaml | sort -u); do
    echo a-secret >"$secrets/${secret##*/}"
done
cp "$at/share/doc/hale/examples/policies.yaml" "$secrets/"
printf 'tokens:\n- {name: a, tenant: t, roles: [operator], sha256: "%064d"}\n' 0 >"$secrets/tokens.yaml"
sed -i "s|/etc/hale/|$secrets/|g" "$secrets/policies.yaml"
for name in $daemons; do
    sed "s|/etc/hale/|$secrets/|g; s|/usr/share/hale/|$tmp/|g; s|/var/lib/hale/|$tmp/|g" \
        "$at/share/doc/hale/examples/$name.yaml" >"$secrets/$name.yaml"
    "$at/bin/hale-$name" --config "$secrets/$name.yaml" --check-config >"$tmp/log" 2>&1 || {
        fail "the example $name.yaml is not valid"
        tail -n 3 "$tmp/log"
    }
done

bash -n "$at/share/bash-completion/completions/hale" || fail "the completion has a mistake"
if command -v mandoc >/dev/null; then
    mandoc -T lint -W error "$at"/share/man/man*/* || fail "a manual page has a mistake"
fi

# Units: the programs they name are looked for where they were installed to.
if command -v systemd-analyze >/dev/null; then
    mkdir "$tmp/units"
    for unit in "$at"/lib/systemd/system/*.service; do
        grep -qE '@[A-Z_]+@' "$unit" && fail "${unit##*/} has a mark that was not replaced"
        sed -e "s|^ExecStart=$prefix/|ExecStart=$at/|" -e '/^Documentation=/d' \
            -e "s|^ExecStart=/usr/bin/redis-server|ExecStart=$(command -v redis-server || echo /bin/true)|" \
            "$unit" >"$tmp/units/${unit##*/}"
    done
    # Only what it says of our units counts, not of the machine's.
    SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze verify --recursive-errors=no "$tmp"/units/*.service 2>&1 |
        grep -E 'hale-[a-z]+\.service' | sed "s|$tmp|...|g" >"$tmp/log"
    [ -s "$tmp/log" ] && fail "systemd-analyze verify:" && cat "$tmp/log"
    for name in collector thresholds correlator actuator; do
        grep -q '^CapabilityBoundingSet=$' "$tmp/units/hale-$name.service" || fail "hale-$name has capabilities"
        grep -q '^CapabilityBoundingSet=.' "$tmp/units/hale-$name.service" && fail "hale-$name has capabilities"
    done
    [ "$(grep '^CapabilityBoundingSet=' "$tmp/units/hale-agent.service" | tail -n 1)" = \
        CapabilityBoundingSet=CAP_NET_RAW ] || fail "hale-agent has not CAP_NET_RAW alone"
fi

# Nothing installed names the tree it was built from (programs with debug information do).
grep -rlI --exclude-dir=dashboards -F "$root" "$tmp/root" && fail "the files above name the source directory"

exit $bad
