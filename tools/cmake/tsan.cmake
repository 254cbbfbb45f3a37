# cmake -C tools/cmake/tsan.cmake -B build/tsan: the suite under the thread sanitizer.
set(ST_WERROR ON CACHE BOOL "")
set(ST_CUDA OFF CACHE STRING "")
set(ST_SANITIZE "thread" CACHE STRING "")
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
