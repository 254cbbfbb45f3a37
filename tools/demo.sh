#!/usr/bin/env bash
# Install, build, and run the main job on houses that the program makes up itself:
#   tools/demo.sh [FOLDER]      default build/demo
# Ends with metadata, questions with proofs, and plans to look at.
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

echo "== twenty-four furnished houses, and their metadata"
$spatial synth --layout vsi --houses 24 --out "$out/houses"
echo "== questions about them; every answer carries its proof"
$spatial qa "$out/houses/houses_meta_info.json" --no-debias --out "$out/questions"
echo "== each answer proven again, by another path"
$spatial prove "$out"/questions/qa/*.jsonl --scans "$out/houses/houses_meta_info.json" > "$out/proofs.txt"
tail -n 1 "$out/proofs.txt"
echo "== and judged as a stranger would, from the words of the question alone"
$spatial lint "$out/questions/vsi.jsonl" --metadata "$out/houses/houses_meta_info.json" > "$out/lint.txt"
for house in scene9000_00 scene9001_00 scene9002_00; do
    $spatial inspect "$out/houses/houses_meta_info.json" --scene $house --plan "$out/$house.svg"
done
echo "Look at: $out/scene9000_00.svg  $out/questions/vsi.jsonl  $out/proofs.txt"
