#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the kinds named (build, run, test) that are missing.
# Usage: scripts/install-packages.sh [--list] KIND...     Needs root, or sudo. --list only names what is missing.
# Exit: 0 all there; 3 a package cannot be had (named on stderr with what to do).
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
list=$root/packaging/debian-packages.txt

have() { # a package, or the command it is wanted for when that came another way (node, cmake)
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed' && return 0
  case $1 in
    nodejs) command -v node >/dev/null && node -e 'process.exit(+process.versions.node.split(".")[0] < 18)' ;;
    npm | curl | gcc | cmake | python3) command -v "$1" >/dev/null ;;
    *) return 1 ;;
  esac
}

only_list=
if [ "${1:-}" = --list ]; then
  only_list=1
  shift
fi
missing=()
while read -r package kinds _; do
  case $package in '' | '#'*) continue ;; esac
  for kind in "$@"; do
    if [[ ,$kinds, == *,$kind,* ]]; then
      have "$package" || missing+=("$package")
      break
    fi
  done
done <"$list"
[ ${#missing[@]} -eq 0 ] && exit 0
if [ -n "$only_list" ]; then
  printf '%s\n' "${missing[@]}"
  exit 0
fi

echo "installing: ${missing[*]}" >&2
if ! command -v apt-get >/dev/null; then
  echo "error: no apt-get here (Hale's scripts know Debian 12). Install by hand: ${missing[*]}" >&2
  exit 3
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -v; then
    echo "error: these packages are missing and need root: ${missing[*]}" >&2
    echo "fix:   run as root, or: apt-get install ${missing[*]}" >&2
    exit 3
  fi
  sudo=(sudo)
fi
# A server that a package brings must not start by itself: Hale runs its own Redis.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null && "${sudo[@]}" chmod 755 $policy && made_policy=1
fi
trap '[ -n "$made_policy" ] && "${sudo[@]}" rm -f $policy' EXIT

apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -q "$@" >&2; }
apt install -y --no-install-recommends "${missing[@]}" && exit 0
echo "refreshing the package lists" >&2
apt update || echo "warning: apt-get update failed; trying with the lists there are" >&2
apt install -y --no-install-recommends "${missing[@]}" && exit 0
bad=()
for package in "${missing[@]}"; do
  apt install -y --no-install-recommends "$package" >/dev/null 2>&1 || bad+=("$package")
done
[ ${#bad[@]} -eq 0 ] && exit 0
echo "error: cannot be had from this machine's package sources: ${bad[*]}" >&2
echo "fix:   check the network and /etc/apt/sources.list (Debian 12 main), then: apt-get install ${bad[*]}" >&2
exit 3
