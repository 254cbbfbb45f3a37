#!/usr/bin/env bash
# Fuzz every parser with clang's coverage-guided fuzzer: a million inputs or SECONDS each.
#   tests/fuzz/fuzz.sh [SECONDS [NAME...]]      default 300, all of them
# Findings are left in build/fuzz/findings; nothing found exits 0.
set -u
cd "$(dirname "$0")/../.."
seconds=${1-300}
[ $# -eq 0 ] || shift
mkdir -p build/fuzz/findings
CC=clang cmake -C tools/cmake/fuzz.cmake -B build/fuzz -G Ninja > build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
names=${*:-$(sed -n 's/^st_fuzz(\([a-z0-9_]*\).*/\1/p' tests/fuzz/CMakeLists.txt)}
ninja -C build/fuzz --quiet $(printf 'fuzz_%s ' $names) || exit 1
bad=0
for name in $names; do
    mkdir -p "build/fuzz/grown/$name"
    build/fuzz/tests/fuzz/fuzz_"$name" -runs=1000000 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/grown/$name" "tests/fuzz/corpus/$name" \
        > "build/fuzz/$name.log" 2>&1
    code=$?
    [ $code -eq 0 ] || { bad=1; grep -aE "ERROR|SUMMARY" "build/fuzz/$name.log" | head -3; }
    printf '%-16s %s  %s\n' "$name" "$([ $code -eq 0 ] && echo clean || echo FOUND)" \
        "$(grep -aE '^Done|DONE' "build/fuzz/$name.log" | tail -1)"
done
exit $bad
