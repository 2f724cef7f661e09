# hale_verify_headers(<room> <libraries...>): compiles each header of the current directory
# alone and twice (guard), as part of the target `headers`, which is not in the default build.
if(NOT TARGET headers)
  add_custom_target(headers)
endif()

function(hale_verify_headers room)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set(sources)
  foreach(header ${headers})
    get_filename_component(stem ${header} NAME_WE)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${room}_${stem}.c)
    file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include \"${room}/${stem}.h\"
#include \"${room}/${stem}.h\"
extern int hale_header_${room}_${stem};
")
    list(APPEND sources ${source})
  endforeach()
  if(sources)
    add_library(headers_${room} OBJECT EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(headers_${room} PRIVATE ${ARGN})
    add_dependencies(headers headers_${room})
  endif()
endfunction()
