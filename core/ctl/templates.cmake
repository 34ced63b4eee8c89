# scripts/templates/<name>.lua and <name>_test.lua go into rewardctl: included by CMakeLists.txt once
# rwd_ctl exists. Bytes, so that nothing in them needs quoting; @ID@ is left for rules new.
file(GLOB rule_templates CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/scripts/templates/*.lua)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${rule_templates})
set(template_texts "")
set(template_rows "")
foreach(path ${rule_templates})
  get_filename_component(name ${path} NAME_WE)
  if(NOT name MATCHES "_test$")
    foreach(part ${name} ${name}_test)
      file(READ ${CMAKE_SOURCE_DIR}/scripts/templates/${part}.lua bytes HEX)
      string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
      string(APPEND template_texts "static const char text_${part}[] = {${bytes}0};\n")
    endforeach()
    string(APPEND template_rows "    {\"${name}\", text_${name}, text_${name}_test},\n")
  endif()
endforeach()
set(rule_templates_c ${CMAKE_BINARY_DIR}/embedded/rule_templates.c)
file(CONFIGURE OUTPUT ${rule_templates_c} CONTENT "#include \"ctl/rule_new.h\"

@template_texts@
const struct rwd_rule_template rwd_rule_templates[] = {
@template_rows@    {0}};
" @ONLY)
target_sources(rwd_ctl PRIVATE ${rule_templates_c})
