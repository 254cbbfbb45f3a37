#!/usr/bin/env bash
# Install what a build needs, from Debian's packages. Does nothing where all of it is there.
#   tools/install.sh          libraries, compilers, test tools
set -eu
packages="gcc g++ clang libclang-rt-14-dev cmake ninja-build ccache pkg-config
    libjansson-dev libpcre2-dev libutf8proc-dev zlib1g-dev libcmocka-dev
    libqhull-dev liblapacke-dev libopenblas-dev libassimp-dev libzip-dev
    libavformat-dev libavcodec-dev libswscale-dev libavutil-dev libcairo2-dev fonts-dejavu-core"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
