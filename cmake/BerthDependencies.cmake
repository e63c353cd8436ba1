# SPDX-License-Identifier: Apache-2.0
# Third-party libraries: Debian 13's packages, or what cmake/backports made of their sources for
# Debian 12. docs/dependencies.md says why each, and why that version.
find_package(PkgConfig REQUIRED)

set(berth_backports "${CMAKE_SOURCE_DIR}/build/libraries")
if(EXISTS "${berth_backports}/stamp")
  set(ENV{PKG_CONFIG_PATH} "${berth_backports}/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
endif()

# berth_need(NAME MODULE MINIMUM PACKAGE): the target PkgConfig::NAME, or all that is missing in one line.
set(berth_missing "")
function(berth_need name module minimum package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module}>=${minimum})
  if(NOT ${name}_FOUND)
    set(berth_missing ${berth_missing} "${module} >= ${minimum} (${package})" PARENT_SCOPE)
  endif()
endfunction()

berth_need(RDKAFKA rdkafka 2.8.0 librdkafka-dev)
berth_need(AVRO avro-c 1.11 libavro-dev)
berth_need(CURL libcurl 7.88 libcurl4-openssl-dev)
berth_need(HIREDIS hiredis 1.2.0 libhiredis-dev)
berth_need(HIREDIS_TLS hiredis_ssl 1.2.0 libhiredis-dev)
berth_need(LIBEVENT libevent 2.1 libevent-dev)
berth_need(LIBEVENT_TLS libevent_openssl 2.1 libevent-dev)
berth_need(JANSSON jansson 2.14 libjansson-dev)
berth_need(INIH inih 55 libinih-dev)
berth_need(SSL libssl 3 libssl-dev)
berth_need(CRYPTO libcrypto 3 libssl-dev)
berth_need(CMOCKA cmocka 1.1.5 libcmocka-dev)
# What Redis runs its scripts with: for the simulator, which runs the same ones.
berth_need(LUA lua5.1 5.1 liblua5.1-0-dev)
find_package(Threads REQUIRED)

if(berth_missing)
  list(JOIN berth_missing ", " berth_missing)
  message(FATAL_ERROR
    "missing: ${berth_missing}. \"./dev build\" gets them all; docs/dependencies.md has other ways")
endif()
