# cmake -C tools/cmake/release.cmake -B build/release: the program alone.
set(ST_TESTS OFF CACHE BOOL "")
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
