# Puts migrations/<house>/*.sql into the program: included by CMakeLists.txt once rwd_store exists.
file(GLOB sqlite_migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/sqlite/*.sql)
set(sqlite_migrations_c ${CMAKE_BINARY_DIR}/store/sqlite_migrations.c)
add_custom_command(OUTPUT ${sqlite_migrations_c}
  COMMAND ${CMAKE_COMMAND} "-DMIGRATIONS=${sqlite_migrations}" -DNAME=rwd_store__sqlite_migrations
    -DOUTPUT=${sqlite_migrations_c} -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  DEPENDS ${sqlite_migrations} ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
  COMMENT "Embedding migrations/sqlite" VERBATIM)
target_sources(rwd_store PRIVATE ${sqlite_migrations_c})
