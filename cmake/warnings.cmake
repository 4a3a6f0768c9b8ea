# One set of warnings and one set of sanitizers for every target of ours.
add_library(windrow_flags INTERFACE)
target_compile_options(windrow_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wformat=2
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
    $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion> # CHECK(!"a reason")
    $<$<BOOL:${WINDROW_WERROR}>:-Werror>
    -fno-omit-frame-pointer -fstack-protector-strong)
target_compile_definitions(windrow_flags INTERFACE
    _GNU_SOURCE WINDROW_VERSION="${PROJECT_VERSION}"
    $<$<AND:$<CONFIG:Release>,$<NOT:$<BOOL:${WINDROW_SANITIZE}>>>:_FORTIFY_SOURCE=2>)
if(WINDROW_CRASH_POINTS)
    target_compile_definitions(windrow_flags INTERFACE WINDROW_CRASH_POINTS)
endif()
if(WINDROW_SANITIZE)
    target_compile_definitions(windrow_flags INTERFACE WINDROW_SANITIZED)
    target_compile_options(windrow_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=undefined)
    target_link_options(windrow_flags INTERFACE -fsanitize=address,undefined)
endif()
if(WINDROW_FUZZ)
    target_compile_options(windrow_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(WINDROW_COVERAGE) # processes that meet at a file of counts wait for each other
    target_compile_definitions(windrow_flags INTERFACE
        WINDROW_COVERAGE_FOLDER="${CMAKE_BINARY_DIR}") # node/main.c
    target_compile_options(windrow_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(windrow_flags INTERFACE --coverage)
endif()
