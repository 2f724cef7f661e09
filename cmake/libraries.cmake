# Third-party libraries as hale::<name> targets. A missing one stops the configuration with
# the name of the Debian package that carries it; packaging/debian-packages.txt lists them all.
find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
  message(FATAL_ERROR "pkg-config is missing. Debian: apt-get install pkg-config")
endif()

# hale_library(<name> <pkg-config module and version> <Debian package> [OPTIONAL])
function(hale_library name module package)
  pkg_check_modules(HALE_PC_${name} QUIET IMPORTED_TARGET GLOBAL "${module}")
  if(HALE_PC_${name}_FOUND)
    add_library(hale::${name} ALIAS PkgConfig::HALE_PC_${name})
  elseif(NOT "OPTIONAL" IN_LIST ARGN)
    message(FATAL_ERROR "The library ${module} is missing. "
                        "Debian: apt-get install ${package}")
  endif()
endfunction()

hale_library(microhttpd "libmicrohttpd>=0.9.71" libmicrohttpd-dev)
hale_library(gnutls "gnutls>=3.6" libgnutls28-dev)
hale_library(jansson "jansson>=2.10" libjansson-dev)
hale_library(rrd "librrd>=1.6" librrd-dev)
hale_library(curl "libcurl>=7.66" libcurl4-openssl-dev)
hale_library(hiredis "hiredis>=0.14" libhiredis-dev)
hale_library(yaml "yaml-0.1>=0.2" libyaml-dev)
hale_library(pcre2 "libpcre2-8>=10.34" libpcre2-dev)
hale_library(xxhash "libxxhash>=0.8" libxxhash-dev)
hale_library(crypto "libcrypto>=1.1" libssl-dev)
hale_library(zlib "zlib>=1.2" zlib1g-dev)
hale_library(snappy "snappy>=1.1" libsnappy-dev)
hale_library(netsnmp "netsnmp>=5.9" libsnmp-dev)

# nanopb comes with a CMake package instead of a pkg-config module.
find_package(nanopb CONFIG QUIET)
if(NOT TARGET nanopb::protobuf-nanopb-static)
  message(FATAL_ERROR "The library nanopb is missing. Debian: apt-get install libnanopb-dev")
endif()
set_target_properties(nanopb::protobuf-nanopb-static PROPERTIES IMPORTED_GLOBAL TRUE)
add_library(hale::nanopb ALIAS nanopb::protobuf-nanopb-static)

option(HALE_TESTS "Build the tests" ON)
if(HALE_TESTS)
  hale_library(cmocka "cmocka>=1.1" libcmocka-dev)
endif()
