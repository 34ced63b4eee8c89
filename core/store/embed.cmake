# cmake -DMIGRATIONS="a.sql;b.sql" -DNAME=symbol -DOUTPUT=file.c -P embed.cmake
# Bytes, not string literals: nothing in the SQL needs quoting, and no line is too long for C11.
set(texts "")
set(rows "")
list(SORT MIGRATIONS)
foreach(path ${MIGRATIONS})
  get_filename_component(name ${path} NAME_WE)
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)$")
    message(FATAL_ERROR "${path}: a migration is called NNNN_name.sql")
  endif()
  set(number ${CMAKE_MATCH_1})
  set(title ${CMAKE_MATCH_2})
  math(EXPR version "1${number} - 10000")
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
    bytes "${bytes}")
  string(APPEND texts "static const unsigned char text_${number}[] = {\n${bytes}0};\n")
  string(APPEND rows
    "    {${version}, \"${title}\", {(const char *)text_${number}, sizeof text_${number} - 1}},\n")
endforeach()
file(WRITE ${OUTPUT} "/* Generated from migrations/ by core/store/embed.cmake. */
#include \"store/migration.h\"

${texts}
static const struct rwd_store__migration migrations[] = {
${rows}};

const struct rwd_store__migrations ${NAME} = {
    migrations, sizeof migrations / sizeof migrations[0]};
")
