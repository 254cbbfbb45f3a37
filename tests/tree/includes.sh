#!/usr/bin/env bash
# The tree keeps its own rules: includes go down the map, guests stay in one file, libraries never
# leave or print, file names are unique, lines and files end in time. Usage: includes.sh SOURCE_DIR
set -u
cd "$1" || exit 1
bad=0
complain() { echo "$*"; bad=1; }

# What each room may include, besides itself. tools and tests may include everything below them.
declare -A may=(
    [kernels/base]=""
    [kernels/media]="kernels/base"
    [kernels]="kernels/base"
    [geometry]="kernels/base"
    [render]="kernels/base kernels/media kernels geometry"
    [datagen/scans]="kernels/base kernels/media geometry render"
    [datagen/scene]="kernels/base kernels/media geometry render datagen/scans"
    [datagen/questions]="kernels/base kernels/media geometry render datagen/scans datagen/scene"
    [datagen/describe]="kernels/base kernels/media geometry render datagen/scans datagen/scene"
    [datagen/synth]="kernels/base kernels/media geometry render datagen/scans datagen/scene"
    [datagen/pack]="kernels/base kernels/media geometry render datagen/scans datagen/scene datagen/questions datagen/describe"
    [model]="kernels/base kernels/media kernels"
    [train]="kernels/base kernels/media kernels model"
)
sources=$(find kernels geometry render datagen model train tools -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | sort)

# One pass over all include lines: from room, to room, and whether the table above allows it.
allowed=$(for room in "${!may[@]}"; do for to in ${may[$room]}; do echo "$room $to"; done; done)
found=$(ALLOWED=$allowed awk '
    function room_of(path,   part) {
        split(path, part, "/")
        return path ~ /^(kernels\/(base|media)|datagen\/[a-z]+)\// ? part[1] "/" part[2] : part[1]
    }
    BEGIN {
        count = split(ENVIRON["ALLOWED"], line, "\n")
        for (i = 1; i <= count; i++) may[line[i]] = 1
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        target = quoted[2]; from = room_of(FILENAME); to = room_of(target)
        where = FILENAME ":" FNR ": "
        if ((getline ignored < target) < 0) { print where "includes \"" target "\"; write the path from the top"; next }
        close(target)
        if (to == "tests") print where "looks into tests"
        if (from == to || from == "tools") next
        if (!((from " " to) in may)) print where from " may not include " to
        else if (target ~ /internal\.h$/) print where "internal.h belongs to " to " alone"
    }' $sources)
[ -z "$found" ] || complain "$found"

# Guests: header, and the one file that may meet it.
while read -r header home; do
    for file in $(grep -lE "#[[:space:]]*include[[:space:]]*<$header" $sources); do
        case $file in $home) ;; *) complain "$file: <$header> is met in $home only" ;; esac
    done
done <<'E2'
jansson       kernels/base/json.c
pcre2         kernels/base/pattern.c
utf8proc      kernels/base/unicode.c
zlib          kernels/base/inflate.c
libav         kernels/media/video.c
libsw         kernels/media/video.c
zip           kernels/media/archive.c
cairo         render/plan_png.c
libqhull_r    geometry/hull.c
assimp        geometry/mesh_io.c
microhttpd    tools/cmd_serve.c
nccl          train/ring.c
mpi           train/ring.c
E2

# Outside tools, nobody prints, leaves, or keeps a clock of its own.
found=$(grep -nE '(^|[^a-z_])(exit|printf|puts|putchar|perror)[[:space:]]*\(' $(grep -v '^tools/' <<< "$sources") |
    grep -vE '^[^:]*:[0-9]+:[[:space:]]*(\*|/\*|//)')
[ -z "$found" ] || complain "libraries neither print nor exit: $found"

# A log line's obb.c:41 needs no folder.
twice=$(for f in $sources; do basename "$f"; done | grep -vxE 'internal\.h' | sort | uniq -d)
[ -z "$twice" ] || complain "file names that occur twice: $twice"

# Lines end by column 100, in tests too.
found=$(LC_ALL=C.UTF-8 grep -nE '.{101}' $sources $(find tests -name '*.[ch]' -o -name '*.cu') | cut -c1-80)
[ -z "$found" ] || complain "longer than 100 columns: $found"

# Doors are read in one sitting, and everything else has a seam before 900 lines.
found=$(wc -l $sources | awk '$2 != "total" && $1 > ($2 ~ /internal\.h$/ ? 400 : $2 ~ /\.h$/ ? 300 : 900) { print $2 ": " $1 " lines, look for the seam" }')
[ -z "$found" ] || complain "$found"
exit $bad
