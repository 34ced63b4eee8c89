# scripts/<name>.lua becomes a C string in the build folder, so that the daemon needs no files of its
# own at run time. No file that is generated is committed.
function(rwd_embed_lua target name)
  set(source ${CMAKE_SOURCE_DIR}/scripts/${name}.lua)
  set(out ${CMAKE_BINARY_DIR}/embedded/${name}.c)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${out} CONTENT "#include <stddef.h>
extern const char rwd_script_${name}[];
extern const size_t rwd_script_${name}_size;
const char rwd_script_${name}[] = {@bytes@0};
const size_t rwd_script_${name}_size = @size@;
" @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()

rwd_embed_lua(rwd_script prelude)
rwd_embed_lua(rwd_script by_arm)
