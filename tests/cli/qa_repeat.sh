#!/usr/bin/env bash
# The same questions again: on other thread counts, after being killed at any moment, after a file
# was damaged. Usage: qa_repeat.sh PROGRAM
set -u
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
complain() { echo "$*"; bad=1; }

# A hundred rooms with a dozen things each, at drawn places.
perl -e '
    srand(11);
    my @kinds = qw(bed sofa tv toilet bathtub piano fireplace refrigerator printer radiator);
    my @scenes;
    for my $s (1 .. 100) {
        my (@counts, @boxes);
        for my $kind (@kinds, "chair") {
            my $n = $kind eq "chair" ? 2 + int(rand(5)) : 1;
            my @b;
            for (1 .. $n) {
                my $yaw = rand(3.1);
                my ($c, $d) = (cos($yaw), sin($yaw));
                push @b, sprintf("{\"centroid\":[%.6f,%.6f,0.4],\"axesLengths\":[%.4f,%.4f,0.8],\"normalizedAxes\":[%.17g,%.17g,0,%.17g,%.17g,0,0,0,1]}",
                    rand(9), rand(9), 0.2 + rand(1.2), 0.2 + rand(1.2), $c, $d, -$d, $c);
            }
            push @counts, "\"$kind\":$n";
            push @boxes, "\"$kind\":[" . join(",", @b) . "]";
        }
        push @scenes, sprintf("\"made%04d\":{\"room_size\":%.3f,\"room_center\":[0,0,0],\"dataset\":\"made\",\"object_counts\":{%s},\"object_bbox\":{%s}}",
            $s, 8 + rand(60), join(",", @counts), join(",", @boxes));
    }
    print "{", join(",\n", @scenes), "}\n";
' > rooms.json

ask() { "$program" qa rooms.json --seed 5 -q "$@" > table.txt; }
same() { diff -r -x run.json whole "$1" > /dev/null || complain "$2"; }

ask -j 1 --out whole || complain "the first run left with $?"
grep -q '^object_abs_distance  *[1-9]' table.txt || complain "no distances were asked"
ask -j 3 --out threads && same threads "-j 1 and -j 3 differ"

# Killed at any moment: whatever stands under its own name is whole.
for ms in 3 8 15 22 30 40 55 75 100 140; do
    (timeout -s KILL "0.$(printf %03d $ms)" "$program" qa rooms.json --seed 5 -q --out killed; :) > /dev/null 2>&1
    [ -d killed ] || continue
    while IFS= read -r file; do
        case $file in *.part | ./run.json) continue ;; esac
        cmp -s "killed/$file" "whole/$file" || complain "after ${ms} ms killed/$file is not whole"
    done < <(cd killed && find . -type f)
done
ask --out killed && same killed "a run after kills differs"
[ -z "$(find killed -name '*.part')" ] || complain "a .part file was left behind"

# Finished is recognised; a damaged or a lost file is not finished.
"$program" qa rooms.json --seed 5 --out killed 2>&1 > again.txt | grep 'finished already' > /dev/null || complain "a finished folder was not recognised"
cmp -s table.txt again.txt || complain "a finished folder tells another table"
printf x >> killed/qa/object_abs_distance.jsonl
ask --out killed && same killed "a damaged file was not mended"
rm killed/vsi.jsonl
ask --out killed && same killed "a lost file was not written again"

# Another seed into the same folder, and back: nothing of the other one stays.
"$program" qa rooms.json --seed 6 -q --no-debias --out killed > /dev/null
diff -r -x run.json whole killed > /dev/null && complain "another seed changed nothing"
ask --out killed && same killed "coming back to the first seed differs"
exit $bad
