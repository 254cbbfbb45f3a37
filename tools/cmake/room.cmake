# room.cmake - a room is a static library st_<name>; a test is a program that ctest runs.

# st_room(geometry
#     SOURCES mesh.c obb.c
#     NEEDS   st_base            rooms below
#     GUESTS  qhull lapacke)     third-party libraries that must be there
function(st_room name)
    cmake_parse_arguments(R "" "" "SOURCES;NEEDS;GUESTS" ${ARGN})
    add_library(st_${name} STATIC ${R_SOURCES})
    target_link_libraries(st_${name} PUBLIC st_manners ${R_NEEDS})
    foreach(guest ${R_GUESTS})
        target_link_libraries(st_${name} PRIVATE guest_${guest})
    endforeach()
endfunction()

# st_room_guest(media ffmpeg video.c ELSE video_absent.c): the file that meets the guest, or the
# small one that says what to install.
function(st_room_guest room guest with else without)
    if(ST_HAS_${guest})
        target_sources(st_${room} PRIVATE ${with})
        target_link_libraries(st_${room} PRIVATE guest_${guest})
    else()
        target_sources(st_${room} PRIVATE ${without})
    endif()
endfunction()

# st_test(test_obb LABELS quick NEEDS st_geometry): builds test_obb.c and registers it.
function(st_test name)
    cmake_parse_arguments(T "" "" "SOURCES;LABELS;NEEDS" ${ARGN})
    add_executable(${name} ${name}.c ${T_SOURCES})
    target_link_libraries(${name} PRIVATE st_manners ${T_NEEDS} guest_cmocka)
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT 600
        ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/leaks.supp:print_suppressions=0")
endfunction()
