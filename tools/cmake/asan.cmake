# cmake -C tools/cmake/asan.cmake -B build/asan: the suite under address and undefined-behaviour
# sanitizers. CUDA code has compute-sanitizer instead.
set(ST_WERROR ON CACHE BOOL "")
set(ST_CUDA OFF CACHE STRING "")
set(ST_SANITIZE "address,undefined" CACHE STRING "")
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
