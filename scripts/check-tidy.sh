#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy (checks in .clang-tidy, every finding is an error) over the project's .c files.
# Usage: scripts/check-tidy.sh [build directory with compile_commands.json] [file.c ...]
# Without files: all of them. HALE_JOBS sets the number of processes (default 2).
set -u
cd "$(dirname "$0")/.." || exit 2

build=${1:-build/dev}
[ $# -gt 0 ] && shift
tool=$(command -v clang-tidy-14 || command -v clang-tidy) || {
    echo "clang-tidy is missing. Debian: apt-get install clang-tidy-14" >&2
    exit 2
}
[ -f "$build/compile_commands.json" ] || {
    echo "$build/compile_commands.json is missing; run: cmake --preset dev" >&2
    exit 2
}
if [ $# -eq 0 ]; then
    mapfile -t files < <(find lib collector thresholds correlator actuator agent cli tests \
        -name '*.c' -not -path '*/node_modules/*' | sort)
else
    files=("$@")
fi
[ ${#files[@]} -eq 0 ] && exit 0

# Only findings are shown; "N warnings generated" is about system headers.
printf '%s\0' "${files[@]}" |
    xargs -0 -P "${HALE_JOBS:-2}" -n 4 "$tool" -p "$build" --quiet 2>&1 |
    grep -vE '^([0-9]+ warnings?( and [0-9]+ errors?)? generated\.|Suppressed .*|Use -header-filter.*)$'
exit "${PIPESTATUS[1]}"
