#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks that every C file is as clang-format 14 writes it. --fix rewrites them instead.
set -u
cd "$(dirname "$0")/.." || exit 2

tool=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is missing. Debian: apt-get install clang-format-14" >&2
    exit 2
}
case $("$tool" --version) in
*"version 14."*) ;;
*) echo "note: the tree is formatted with clang-format 14, this is $("$tool" --version)" >&2 ;;
esac

mode="--dry-run -Werror"
[ "${1:-}" = --fix ] && mode=-i
# shellcheck disable=SC2086
find lib collector thresholds correlator actuator agent cli tests -name '*.[ch]' \
    -not -path '*/node_modules/*' -print0 2>/dev/null | xargs -0 -r "$tool" $mode
