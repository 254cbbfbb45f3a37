#!/usr/bin/env bash
# Every header compiles by itself. Usage: headers.sh SOURCE_DIR COMPILER
set -u
cd "$1" || exit 1
bad=0
for header in $(find kernels geometry render datagen model train tools -name '*.h' | sort); do
    "$2" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-function -Wno-unused-const-variable -Werror -fsyntax-only -I. -x c \
        "$header" || bad=1
    sed -n 1,12p "$header" | grep -q '^ \* May include\|^/\* ' || { echo "$header: says not what it is for"; bad=1; }
done
exit $bad
