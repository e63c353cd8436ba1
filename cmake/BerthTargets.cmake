# SPDX-License-Identifier: Apache-2.0
# The few functions that every folder's CMakeLists.txt is written with.

# Standard, warnings and sanitizers in one place; no global flags.
add_library(berth_flags INTERFACE)
target_compile_features(berth_flags INTERFACE c_std_17)
target_compile_definitions(berth_flags INTERFACE _GNU_SOURCE BERTH_VERSION="${PROJECT_VERSION}")
target_compile_options(berth_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wcast-qual -Wformat=2 -Wundef -Wvla -Wswitch-enum -fno-common)
if(BERTH_WERROR)
  target_compile_options(berth_flags INTERFACE -Werror)
endif()
if(BERTH_SANITIZE)
  string(REPLACE ";" "," berth_sanitizers "${BERTH_SANITIZE}")
  target_compile_options(berth_flags INTERFACE
    -fsanitize=${berth_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(berth_flags INTERFACE -fsanitize=${berth_sanitizers})
endif()
if("thread" IN_LIST BERTH_SANITIZE)
  # So that the thread sanitizer sees librdkafka's threads and locks; the file says how.
  find_package(Threads REQUIRED)
  add_library(berth_c11_threads SHARED "${CMAKE_SOURCE_DIR}/tests/lib/tsan/c11_threads.c")
  target_compile_features(berth_c11_threads PRIVATE c_std_17)
  target_compile_options(berth_c11_threads PRIVATE -Wall -Wextra -Wpedantic)
  target_link_libraries(berth_c11_threads PRIVATE Threads::Threads)
  target_link_options(berth_flags INTERFACE -Wl,--no-as-needed)
  target_link_libraries(berth_flags INTERFACE berth_c11_threads)
endif()

# berth_library(NAME SOURCES a.c b.c [DEPENDS lib ...]): one layer, a static library berth_NAME.
function(berth_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(berth_${name} STATIC ${arg_SOURCES})
  target_include_directories(berth_${name} PUBLIC "${CMAKE_SOURCE_DIR}/include")
  target_link_libraries(berth_${name} PUBLIC ${arg_DEPENDS} PRIVATE berth_flags)
endfunction()

# berth_program(NAME SOURCES a.c [DEPENDS lib ...]): a program in build/bin.
function(berth_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} berth_flags)
endfunction()

# What the sanitizers say is of use only with the way that led there.
set(berth_test_environment
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lib/tsan/suppressions:halt_on_error=1:second_deadlock_stack=1")
# How much longer a test may take than without that sanitizer.
set(berth_test_patience 1)
if("thread" IN_LIST BERTH_SANITIZE)
  set(berth_test_patience 5)
endif()

# berth_set_test(NAME LABEL SECONDS): what all tests have. BERTH_UNIT_SECONDS: instead of that for unit tests.
function(berth_set_test name label seconds)
  if(BERTH_UNIT_SECONDS AND label STREQUAL "unit")
    set(seconds ${BERTH_UNIT_SECONDS})
  endif()
  math(EXPR timeout "${seconds} * ${berth_test_patience}")
  set_tests_properties(${name} PROPERTIES
    LABELS ${label} TIMEOUT ${timeout} ENVIRONMENT "${berth_test_environment}")
endfunction()

# berth_unit_test(MODULE [SOURCES a.c] [DEPENDS lib ...]): cmocka test test_MODULE.c, CTest name
# unit.MODULE, label unit.
function(berth_unit_test module)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(unit_${module} test_${module}.c ${arg_SOURCES})
  target_link_libraries(unit_${module} PRIVATE ${arg_DEPENDS} berth_flags PkgConfig::CMOCKA)
  add_test(NAME unit.${module} COMMAND unit_${module})
  berth_set_test(unit.${module} unit 120)
endfunction()

# berth_integration_test(MODULE SERVICES kafka redis [SOURCES a.c] [DEPENDS lib ...]): as above with
# real services around it; tests/lib/with_services starts them and puts their addresses into
# the environment (BERTH_TEST_KAFKA, BERTH_TEST_REDIS, ...). VALKEY: once more, as
# integration.MODULE.valkey, with Valkey for Redis.
function(berth_integration_test module)
  cmake_parse_arguments(arg "VALKEY" "" "SERVICES;SOURCES;DEPENDS" ${ARGN})
  add_executable(integration_${module} test_${module}.c ${arg_SOURCES})
  target_link_libraries(integration_${module} PRIVATE ${arg_DEPENDS} berth_flags PkgConfig::CMOCKA)
  add_test(NAME integration.${module}
    COMMAND "${CMAKE_SOURCE_DIR}/tests/lib/with_services" --build "${CMAKE_BINARY_DIR}"
            ${arg_SERVICES} -- $<TARGET_FILE:integration_${module}>)
  berth_set_test(integration.${module} integration 300)
  if(arg_VALKEY)
    list(TRANSFORM arg_SERVICES REPLACE "^redis$" valkey)
    add_test(NAME integration.${module}.valkey
      COMMAND "${CMAKE_SOURCE_DIR}/tests/lib/with_services" --build "${CMAKE_BINARY_DIR}"
              ${arg_SERVICES} -- $<TARGET_FILE:integration_${module}>)
    berth_set_test(integration.${module}.valkey integration 300)
  endif()
endfunction()
