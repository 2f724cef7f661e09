# Compiler options of the whole tree, as the interface target hale_compile_options.
# hale_base passes it on, so every target that links a layer gets it.
option(HALE_WERROR "Treat compiler warnings as errors" ON)
option(HALE_HARDEN "Hardening flags of a production build" OFF)
option(HALE_FUZZ "Build the fuzz harnesses with libFuzzer (clang only)" OFF)
set(HALE_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined or thread")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug CACHE STRING "Build type" FORCE)
endif()

# Checks of invariants stay in every build: NDEBUG is never defined.
foreach(config DEBUG RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${config} "${CMAKE_C_FLAGS_${config}}")
endforeach()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(hale_compile_options INTERFACE)
target_compile_definitions(hale_compile_options INTERFACE
  _GNU_SOURCE HALE_VERSION="${PROJECT_VERSION}")
target_compile_options(hale_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wvla -Wundef -Wswitch-enum -Wcast-qual -Wwrite-strings -Wpointer-arith
  -Wimplicit-fallthrough -fno-common -fno-omit-frame-pointer
  $<$<BOOL:${HALE_WERROR}>:-Werror>)
target_link_libraries(hale_compile_options INTERFACE Threads::Threads m)

if(HALE_SANITIZE)
  target_compile_options(hale_compile_options INTERFACE
    -fsanitize=${HALE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(hale_compile_options INTERFACE
    -fsanitize=${HALE_SANITIZE} -fno-sanitize-recover=all)
endif()

if(HALE_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "HALE_FUZZ needs clang (Debian packages clang and libclang-rt-14-dev); "
                        "use: cmake --preset fuzz")
  endif()
  target_compile_options(hale_compile_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(HALE_HARDEN)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(hale_compile_options INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
    -fPIE)
  target_link_options(hale_compile_options INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
