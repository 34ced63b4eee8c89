cmake_minimum_required(VERSION 3.25)
# cmake -DINPUT=openapi.json -DVERSION=0.1.0 -DOUTPUT=file.c -P embed.cmake
# Bytes, not a string literal: no line is too long for C11. @VERSION@ is the program's.
file(READ ${INPUT} text)
string(REPLACE "@VERSION@" "${VERSION}" text "${text}")
file(WRITE ${OUTPUT}.json "${text}")
file(READ ${OUTPUT}.json hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
  bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Generated from core/edge/openapi.json by core/edge/embed.cmake. */
#include \"edge/api.h\"

static const unsigned char document[] = {
${bytes}0};

struct rwd_text rwd_api_openapi(void)
{
    return (struct rwd_text){.data = (const char *)document, .size = sizeof document - 1};
}
")
