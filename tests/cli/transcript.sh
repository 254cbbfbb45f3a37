#!/usr/bin/env bash
# Play transcripts: what a user types and what the program must answer, word for word.
#
#   $ spatial qa nothing.json --out q        a command, run by bash in a fresh copy of tests/golden
#   spatial qa: nothing.json: no such file   its stdout and stderr together; [code, file.c:12] at the
#   = 3                                      end of a line is left out; then its exit code, if not 0
#   ...                                      a line of three dots fits any number of lines
#
# Usage: transcript.sh PROGRAM FOLDER_OF_INPUTS TRANSCRIPT...
set -u
program=$(realpath "$1")
inputs=$(realpath "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$program" "$work/spatial"
export PATH=$work:$PATH
bad=0

check() {       # check TRANSCRIPT COMMAND EXPECTED
    local got code
    got=$(cd "$work/in" && bash -c "$2" 2>&1 < /dev/null)
    code=$?
    got=$(sed -E 's/ \[[a-z]+, [a-z0-9_]+\.(c|cu|h):[0-9]+\]$//' <<< "$got")
    [ $code -eq 0 ] || got=$got$'\n'"= $code"
    got=${got#$'\n'}
    # Lines are taken literally, but for a line of three dots.
    EXPECTED=$3 GOT=$got perl -e '
        my $p = join("", map { $_ eq "..." ? "(?s:.*\\n)?" : quotemeta($_) . "\\n" } split(/\n/, $ENV{EXPECTED}));
        my $got = $ENV{GOT} eq "" ? "" : "$ENV{GOT}\n";
        exit($got =~ /\A$p\z/ ? 0 : 1)' && return
    bad=1
    echo "$1: \$ $2"
    diff <(printf '%s\n' "$3") <(printf '%s\n' "$got") | sed 's/^</expected/; s/^>/found   /'
}

for transcript in "$@"; do
    rm -rf "$work/in"
    cp -r "$inputs" "$work/in"
    command=""
    expected=""
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        "\$ "*)
            [ -z "$command" ] || check "$(basename "$transcript")" "$command" "$expected"
            command=${line#"$ "}
            expected=""
            ;;
        "# "*) ;;
        *) expected=$expected${expected:+$'\n'}$line ;;
        esac
    done < "$transcript"
    [ -z "$command" ] || check "$(basename "$transcript")" "$command" "$expected"
done
exit $bad
