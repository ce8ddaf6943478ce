#!/usr/bin/env bash
# Brings the system programs that the project runs: bubblewrap (the sandbox), tree, iproute2, user-mode-linux
# (a kernel with sch_netem, for tests). As root they are installed, named first with all that comes with them; as an
# ordinary user on a Debian-like system they are unpacked under .tools/, which the project looks into; elsewhere the
# missing ones are named. Programs given as arguments (chromium, hyperfine: for tests of the report page and of whole
# commands) are brought too. `--list` names what would be brought, and brings nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

list=no
if [ "${1:-}" = --list ]; then list=yes && shift; fi
declare -A package=([bwrap]=bubblewrap [tree]=tree [tc]=iproute2 [nsenter]=util-linux [git]=git [linux.uml]=user-mode-linux)
for program in "$@"; do package[$program]=$program; done
missing=()
for program in "${!package[@]}"; do
    PATH="$PWD/.tools/usr/bin:$PWD/.tools/bin:$PWD/.tools/sbin:$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ $list = yes ] || ! command -v apt-get >/dev/null; then
    echo "system-tools: not found: ${missing[*]}; install them with this system's package manager" >&2
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq
    install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
    echo "system-tools: as root, apt-get now installs (make setup SYSTEM=no leaves the system as it is):"
    "${install[@]}" --simulate | awk '/^Inst / { print "  " $2 }'
    DEBIAN_FRONTEND=noninteractive "${install[@]}" >/dev/null
    exit 0
fi
# Without privilege: private lists and cache, packages unpacked and never configured.
echo "system-tools: unpacking under .tools/, nothing is installed: ${missing[*]}"
state="$PWD/.tools/apt"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
options=(-o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
apt-get "${options[@]}" update -qq
(cd "$state/cache" && apt-get "${options[@]}" download -qq "${missing[@]}")
for deb in "$state"/cache/*.deb; do dpkg -x "$deb" .tools; done
rm -rf "$state"
