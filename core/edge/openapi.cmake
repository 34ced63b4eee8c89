# Puts core/edge/openapi.json into the program: included by CMakeLists.txt once rwd_edge exists.
set(openapi_c ${CMAKE_BINARY_DIR}/edge/openapi.c)
add_custom_command(OUTPUT ${openapi_c}
  COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_LIST_DIR}/openapi.json
    -DVERSION=${PROJECT_VERSION} -DOUTPUT=${openapi_c} -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/openapi.json ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  COMMENT "Embedding core/edge/openapi.json" VERBATIM)
target_sources(rwd_edge PRIVATE ${openapi_c})
