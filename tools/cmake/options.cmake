# options.cmake - what may be switched, and how every file is compiled.
#
# Each option is AUTO, ON or OFF. AUTO looks and says what it found; ON and missing stops with the
# package to install.

function(st_option name help)
    set(${name} AUTO CACHE STRING "${help} (AUTO, ON, OFF)")
    set_property(CACHE ${name} PROPERTY STRINGS AUTO ON OFF)
endfunction()

st_option(ST_DATA  "geometry render datagen: scans to datasets")
st_option(ST_MODEL "model train: the network")
st_option(ST_CUDA  "CUDA kernels")
option(ST_TESTS    "build the tests" ON)
option(ST_WERROR   "treat warnings as errors" OFF)
set(ST_SANITIZE "" CACHE STRING "sanitizers for every C file, such as address,undefined")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(st_manners INTERFACE)
target_include_directories(st_manners INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(st_manners INTERFACE _GNU_SOURCE)
target_compile_options(st_manners INTERFACE
    "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wstrict-prototypes;-Wmissing-prototypes>"
    "$<$<COMPILE_LANGUAGE:C>:-Wpointer-arith;-Wvla;-Wno-missing-field-initializers>"
    # gcc cannot see that a failed st_status leaves by ST_TRY before the answer is read.
    "$<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-maybe-uninitialized>"
    # Same bytes from every compiler: no fused multiply-add that one of them does not choose.
    "$<$<COMPILE_LANGUAGE:C>:-ffp-contract=off;-fno-math-errno>"
    "$<$<AND:$<COMPILE_LANGUAGE:C>,$<BOOL:${ST_WERROR}>>:-Werror>")

if(ST_SANITIZE)
    target_compile_options(st_manners INTERFACE
        "$<$<COMPILE_LANGUAGE:C>:-fsanitize=${ST_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
    target_link_options(st_manners INTERFACE -fsanitize=${ST_SANITIZE})
endif()
