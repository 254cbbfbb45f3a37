#!/usr/bin/env bash
# Install, build, and run the main job on houses that the program makes up itself:
#   tools/demo.sh [FOLDER]      default build/demo
# Ends with scene files, questions with proofs, and plans to look at.
set -eu
cd "$(dirname "$0")/.."
bash tools/install.sh
out=${1-build/demo}
mkdir -p build "$out"
if [ ! -x build/release/spatial ]; then
    cmake -C tools/cmake/release.cmake -B build/release -G Ninja > build/release.log 2>&1 || { cat build/release.log; exit 1; }
fi
ninja -C build/release --quiet
spatial=build/release/spatial

echo "== eight furnished houses, as a depth camera would have scanned them"
$spatial synth --layout scannet --houses 8 --noise 0.003 --shadows --out "$out/houses"
echo "== measured: rooms, boxes, names"
$spatial scene "$out/houses/scans" --out "$out/scenes"
echo "== questions about them; every answer carries its proof"
$spatial qa "$out/scenes" --no-debias --out "$out/questions"
echo "== each answer proven again, by another path, from the raw scans"
$spatial prove "$out"/questions/qa/*.jsonl --scans "$out/houses/scans" > "$out/proofs.txt"
for house in scene9000_00 scene9001_00 scene9002_00; do
    $spatial inspect "$out/scenes/scenes/scannet/$house.json" --plan "$out/$house.png"
done
echo "Look at: $out/scene9000_00.png  $out/questions/vsi.jsonl  $out/proofs.txt"
