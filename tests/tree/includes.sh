#!/usr/bin/env bash
# The tree keeps its own rules: includes go down the map, guests stay in one file, libraries never
# leave or print, file names are unique. Usage: includes.sh SOURCE_DIR
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
room_of() {     # path of a file to its room
    case $1 in
    kernels/base/*|kernels/media/*|datagen/*/*) echo "$1" | cut -d/ -f1,2 ;;
    *) echo "$1" | cut -d/ -f1 ;;
    esac
}
sources=$(find kernels geometry render datagen model train tools -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | sort)

for file in $sources; do
    room=$(room_of "$file")
    while IFS=: read -r line text; do
        target=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$text")
        [ -f "$target" ] || { complain "$file:$line: includes \"$target\"; write the path from the top"; continue; }
        to=$(room_of "$target")
        [ "$to" = tests ] && complain "$file:$line: looks into tests"
        [ "$room" = "$to" ] && continue
        [ "$room" = tools ] && continue
        case " ${may[$room]-} " in
        *" $to "*) ;;
        *) complain "$file:$line: $room may not include $to" ;;
        esac
        case $target in
        */internal.h) complain "$file:$line: internal.h belongs to $to alone" ;;
        esac
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file")
done

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
for file in $sources; do
    case $file in tools/*) continue ;; esac
    grep -nE '(^|[^a-z_])(exit|printf|puts|putchar|perror)[[:space:]]*\(' "$file" |
        grep -vE '^[0-9]+:[[:space:]]*(\*|/\*|//)' |
        while IFS=: read -r line text; do echo "$file:$line: libraries neither print nor exit: $text"; done
done > /tmp/st_tree.$$
[ -s /tmp/st_tree.$$ ] && { cat /tmp/st_tree.$$; bad=1; }
rm -f /tmp/st_tree.$$

# A log line's obb.c:41 needs no folder.
twice=$(for f in $sources; do basename "$f"; done | grep -vxE 'internal\.h' | sort | uniq -d)
[ -z "$twice" ] || complain "file names that occur twice: $twice"

# Doors are read in one sitting, and everything else has a seam before 900 lines.
for file in $sources; do
    lines=$(wc -l < "$file")
    case $file in
    *.h) [ "$lines" -le 300 ] || complain "$file: a header of $lines lines" ;;
    *) [ "$lines" -le 900 ] || complain "$file: $lines lines, look for the seam" ;;
    esac
done
exit $bad
