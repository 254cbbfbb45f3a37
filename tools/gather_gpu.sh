#!/bin/sh
# gather_gpu.sh BUILD OUT [PROGRAM...] - put what a GPU machine needs into one folder.
#
# A machine with a driver and CUDA's own libraries, but without this project's, can then run the
# twin tests and benches: cd OUT && LD_LIBRARY_PATH=lib ./test_twin_product. Without PROGRAMs, all
# twin tests and bench_kernels are taken. CUDA and C libraries are left to the machine.
set -eu
[ $# -ge 2 ] || { sed -n '2,6p' "$0"; exit 2; }
build=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- "$build"/tests/twins/test_* "$build"/tests/bench/bench_kernels

rm -rf "$out"
mkdir -p "$out/lib"
for program in "$@"; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    cp "$program" "$out/"
    ldd "$program" | awk '$3 ~ /^\// { print $3 }' |
        grep -Ev '/(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|libcu[a-zA-Z]*|libnv[a-zA-Z]*)\.so' |
        while read -r library; do cp -L "$library" "$out/lib/"; done
done
du -sh "$out"
