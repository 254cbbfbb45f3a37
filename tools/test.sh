#!/usr/bin/env bash
# Install, build and pass the tests, on a fresh machine, from anywhere:
#   tools/test.sh           gcc with everything that is here, CUDA too, and the whole suite
#   tools/test.sh --all     before that: clang, the sanitizers, and each half of the house alone
set -eu
cd "$(dirname "$0")/.."
bash tools/install.sh
jobs=$(nproc)

build() {       # build NAME TARGET... [-- CMAKE_ARGS...]
    local name=$1
    shift
    cmake -B "build/$name" -G Ninja "$@" > "build/$name.log" 2>&1 || { cat "build/$name.log"; exit 1; }
    sed -n '/What is in this build/,/^--/p' "build/$name.log" | sed '$d'
    ninja -C "build/$name" -j "$jobs" --quiet
}
mkdir -p build

if [ "${1-}" = --all ]; then
    echo "== the data rooms alone, the model rooms alone"
    build data -C tools/cmake/dev.cmake -DST_MODEL=OFF -DST_CUDA=OFF -DST_TESTS=OFF
    build model -C tools/cmake/dev.cmake -DST_DATA=OFF -DST_CUDA=OFF -DST_TESTS=OFF
    echo "== clang, with address and undefined-behaviour sanitizers"
    CC=clang build asan -C tools/cmake/asan.cmake
    ctest --test-dir build/asan --output-on-failure -j "$jobs" -LE bench
fi

echo "== gcc"
build dev -C tools/cmake/dev.cmake
ctest --test-dir build/dev --output-on-failure -j "$jobs"
