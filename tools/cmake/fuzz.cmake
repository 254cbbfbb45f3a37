# CC=clang cmake -C tools/cmake/fuzz.cmake -B build/fuzz: coverage-guided fuzzers, fuzz_<parser>.
set(ST_FUZZ ON CACHE BOOL "")
set(ST_CUDA OFF CACHE STRING "")
set(ST_SANITIZE "address,undefined" CACHE STRING "")
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
