#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the dashboards into dist/. Installs the npm packages when they are missing or other ones
# are wanted than are there. Does nothing when dist/ is up to date. --force builds in any case.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 2

die() {
    echo "dashboards: $1" >&2
    [ $# -gt 1 ] && echo "fix: $2" >&2
    exit 1
}

case ${1:-} in
'' | --force) ;;
*) echo "usage: dashboards/build.sh [--force]" >&2 && exit 2 ;;
esac

# What dist/ was built from: contents, not times, as a checkout sets all times anew.
inputs() { find src build.mjs build.sh package-lock.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1; }

want=$(inputs)
if [ "${1:-}" != --force ] && [ -f dist/index.html ] && [ "$(cat dist/.built-from 2>/dev/null)" = "$want" ]; then
    echo "dashboards: up to date"
    exit 0
fi
command -v node >/dev/null || die "node is missing" "apt-get install nodejs npm (node 18 or newer)"
major=$(node -p 'process.versions.node.split(".")[0]') && [ "$major" -ge 18 ] ||
    die "node $(node --version) is too old" "install node 18 or newer"

lock=$(sha256sum <package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.installed-from 2>/dev/null)" != "$lock" ] && ! { [ -d node_modules/uplot ] && [ -x node_modules/.bin/esbuild ] &&
    [ node_modules/.package-lock.json -nt package-lock.json ]; }; then
    command -v npm >/dev/null || die "npm is missing" "apt-get install npm"
    echo "dashboards: installing npm packages"
    npm ci --no-audit --no-fund --loglevel=error || die "npm could not install the packages (see above)" \
        "check the network or the registry that npm config names, then run dashboards/build.sh again"
fi
[ -d node_modules ] && echo "$lock" >node_modules/.installed-from

node build.mjs || die "the bundle failed" "read the message above"
echo "$want" >dist/.built-from
echo "dashboards: built $(du -sk dist | cut -f1) kB"
