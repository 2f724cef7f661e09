# hale_daemon(<room>), called from <room>/CMakeLists.txt: every .c of the room except main.c
# becomes the static library <room>_core (so that tests link the real objects), main.c the
# executable hale-<room> (the room cli: hale). Includes are written from the repository root
# ("collector/ingest.h") and from lib/ ("base/buf.h"). A room without sources is skipped.
include(${CMAKE_SOURCE_DIR}/cmake/headers.cmake)

function(hale_daemon room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  set(main ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
  list(FIND sources ${main} has_main)
  list(REMOVE_ITEM sources ${main})
  set(layers hale_store hale_net hale_model hale_base)

  if(sources)
    add_library(${room}_core STATIC ${sources})
    target_include_directories(${room}_core PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${room}_core PUBLIC ${layers})
    set(layers ${room}_core)
  endif()

  if(has_main EQUAL -1)
    message(STATUS "hale: ${room}/main.c is not there, no executable")
  else()
    if(room STREQUAL "cli")
      set(program hale)
    else()
      set(program hale-${room})
    endif()
    add_executable(${program} ${main})
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${program} PRIVATE ${layers})
    install(TARGETS ${program} RUNTIME DESTINATION bin)
  endif()

  hale_verify_headers(${room} ${layers})
  if(TARGET headers_${room})
    target_include_directories(headers_${room} PRIVATE ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
