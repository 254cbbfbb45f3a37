#!/usr/bin/env bash
# Make the Nth allocation, write, fsync, link or rename of a command fail, for many N. Each time it
# must leave with a code below 128 and a sentence, and what lies in its output folder must be whole:
# no .part, and every file equal to that of an undisturbed run.
#   drill.sh LIBRARY WORD...        {out} among the words stands for a fresh output folder
set -u
library=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

run() {         # run FOLDER KIND:N
    local words=("${@:3}")
    ST_FAIL=$2 ST_FAIL_COUNT=$work/counts LD_PRELOAD=$library \
        "${words[@]//\{out\}/$1}" > "$work/stdout" 2> "$work/stderr"
}
run "$work/reference" none "$@" || { cat "$work/stderr"; echo "the undisturbed run fails"; exit 1; }
counts=$(cat "$work/counts")

compare() {     # every file of the folder against the reference; run.json holds times
    find "$1" -type f 2> /dev/null | while read -r file; do
        name=${file#"$1"/}
        case $name in
        *.part) echo "left half written: $name" ;;
        run.json) ;;
        *) cmp -s "$file" "$work/reference/$name" || echo "differs from a whole run: $name" ;;
        esac
    done
}

while read -r kind total; do
    n=1
    tried=0
    while [ "$n" -le "$total" ]; do
        rm -rf "$work/out"
        run "$work/out" "$kind:$n" "$@"
        code=$?
        wrong=$(compare "$work/out")
        [ "$code" -lt 128 ] || wrong="$wrong crashed with $code"
        [ "$code" -eq 0 ] || [ -s "$work/stderr" ] || wrong="$wrong no sentence"
        if [ -n "$wrong" ]; then
            echo "$kind $n of $total: $wrong"
            head -3 "$work/stderr"
            bad=1
        fi
        tried=$((tried + 1))
        # All of the first sixty, then ever larger steps: about 150 runs a kind at most.
        if [ "$n" -lt 60 ]; then n=$((n + 1)); else n=$((n + 1 + n / 12)); fi
    done
    echo "$kind: $tried of $total made to fail"
done <<< "$counts"
exit $bad
