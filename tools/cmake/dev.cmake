# cmake -C tools/cmake/dev.cmake -B build/dev: warnings are errors.
set(ST_WERROR ON CACHE BOOL "")
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
