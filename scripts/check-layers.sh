#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks what the compiler does not: who may include whom, where third-party interfaces may be
# touched, header guards and licence lines, and functions nobody may call. Prints each offence
# as file:line: text; exit code 1 if there is one. Usage: scripts/check-layers.sh
set -u
cd "$(dirname "$0")/.." || exit 2

rooms="collector thresholds correlator actuator agent cli"
bad=0

# offence <message>: reads file:line:text lines, prints them with the message.
offence() {
    local line
    while IFS= read -r line; do
        echo "$line  <- $1"
        bad=1
    done
}

# sources <dir...>: the C files below those directories that exist.
sources() {
    local dir
    for dir in "$@"; do
        [ -d "$dir" ] && find "$dir" -name '*.[ch]' -print
    done | sort
}

# may_not_include <dir> <regex of first path parts> <message>
may_not_include() {
    offence "$3" < <(sources "$1" | xargs -r grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]+\"($2)/")
}

daemons=${rooms// /|}
may_not_include lib/base "model|net|store" "base includes only base"
may_not_include lib/model "net|store" "model includes only model and base"
may_not_include lib/net "model|store" "net includes only net and base"
may_not_include lib "$daemons" "a layer never includes a program"
for room in $rooms; do
    [ "$room" = cli ] && continue # links the daemons' cores: it holds no logic of its own
    others=$(printf '%s\n' $rooms | grep -vx "$room" | paste -sd'|')
    may_not_include "$room" "$others" "programs never include each other"
done
may_not_include lib '\.|\.\.' "includes are written from lib/ or the root"
for room in $rooms; do
    may_not_include "$room" '\.|\.\.' "includes are written from lib/ or the root"
done

# one_place <regex of the header> <file stem regex>: only <stem>.c and .h may include it.
one_place() {
    # shellcheck disable=SC2086
    offence "only $2.[ch] may touch this interface" < <(
        sources lib $rooms | grep -vE "^$2\.[ch]\$" |
            xargs -r grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]+[<\"]$1")
}

# hiredis only reads replies: the connection in redis.c is our own, its parser is in reply.c.
one_place '(hiredis/|hiredis\.h|async\.h|adapters/)' 'lib/store/(redis|redis_dial|redis_private|reply)'
one_place '(rrd\.h|rrd_client\.h|rrd_format\.h)' lib/store/rrd
one_place 'microhttpd\.h' 'lib/net/http_(server|request|private)'
one_place 'curl/' 'lib/net/http_(client|call|mail|client_private)'
one_place 'gnutls/' lib/net/http_server_tls
one_place 'yaml\.h' lib/model/yaml
one_place 'zlib\.h' lib/base/inflate
one_place 'snappy' lib/base/snappy
one_place '(pb\.h|pb_(encode|decode|common)\.h)' lib/model/protobuf
one_place 'pcre2\.h' lib/base/regex
one_place 'net-snmp/' actuator/snmp
one_place '(pcap\.h|pcap/)' 'agent/[a-z_]*pcap[a-z_]*'

# shellcheck disable=SC2086
while IFS= read -r file; do
    head -n 1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        offence "first line must be the SPDX licence" <<<"$file:1:"
    case $file in
    *.h)
        if grep -qE '^#[[:space:]]*pragma[[:space:]]+once' "$file" ||
            ! grep -qE '^#ifndef [A-Z0-9_]+_H$' "$file"; then
            offence "header without an #ifndef ..._H guard" <<<"$file:1:"
        fi
        ;;
    esac
done < <(sources lib $rooms tests)

banned='strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atoll|atof|gmtime|localtime|ctime|asctime'
banned="$banned|strerror|rand|srand|system|popen|tmpnam|mktemp|gets|alloca|sleep|usleep"
# shellcheck disable=SC2086
offence "this function is banned (see lib/README.md)" < <(
    sources lib $rooms | xargs -r grep -nHE "(^|[^A-Za-z0-9_>.\"])($banned)[[:space:]]*\(" |
        grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)')
# shellcheck disable=SC2086
offence "the sample path has no JSON library" < <(
    sources lib/model | grep -E '/(sample|line)[a-z_]*\.c$' |
        xargs -r grep -nHE '#[[:space:]]*include[[:space:]]+<jansson\.h>')

exit "$bad"
