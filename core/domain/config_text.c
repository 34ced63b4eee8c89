#include "domain/config_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum rwd_status rwd_config_text_read(
    const char *path, struct rwd_buffer *text, struct rwd_error *error)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return rwd_fail(error, RWD_NOT_FOUND, "cannot read %s: %s", path, strerror(errno));
    }
    rwd_buffer_reserve(text, RWD_CONFIG_SIZE_MAX + 1);
    text->size = fread(text->data, 1, RWD_CONFIG_SIZE_MAX + 1, file);
    int code = ferror(file) != 0 ? errno : 0;
    (void)fclose(file);
    if (code != 0) {
        return rwd_fail(error, RWD_NOT_FOUND, "cannot read %s: %s", path, strerror(code));
    }
    if (text->size > RWD_CONFIG_SIZE_MAX) {
        return rwd_fail(error, RWD_LIMIT, "%s: larger than %d bytes: is that an engine.conf?", path,
            RWD_CONFIG_SIZE_MAX);
    }
    return RWD_OK;
}

struct walk {
    const char *at;
    const char *end;
};

static bool begins(const struct walk *walk, const char *with)
{
    size_t size = strlen(with);
    return (size_t)(walk->end - walk->at) >= size && memcmp(walk->at, with, size) == 0;
}

/* Moves behind the next last; false: there is none, and nothing moves. */
static bool skip_behind(struct walk *walk, const char *last)
{
    size_t size = strlen(last);
    const char *found = memmem(walk->at, (size_t)(walk->end - walk->at), last, size);
    if (found == NULL) {
        return false;
    }
    walk->at = found + size;
    return true;
}

/* Behind the text whose opening quote walk is at. A ${NAME} in double quotes ends at its brace,
 * whatever stands before it. */
static bool skip_quoted(struct walk *walk)
{
    char quote = *walk->at;
    walk->at++;
    while (walk->at < walk->end) {
        if (quote == '"' && begins(walk, "${") && skip_behind(walk, "}")) {
            continue;
        }
        char c = *walk->at;
        walk->at++;
        if (c == quote) {
            return true;
        }
        if (c == '\\' && walk->at < walk->end) {
            walk->at++;
        }
    }
    return false;
}

/* Behind the rest of the line. */
static void skip_line(struct walk *walk)
{
    while (walk->at < walk->end && *walk->at != '\n') {
        walk->at++;
    }
}

static bool is_word(char c)
{
    return c != '\0' && strchr(" #\"'\t\n\r={}()+,*", c) == NULL;
}

/* A word without quotes; one of nothing but slashes, two at least, begins a comment. */
static void skip_word(struct walk *walk)
{
    const char *begin = walk->at;
    bool slashes = true;
    while (walk->at < walk->end && is_word(*walk->at)) {
        slashes = slashes && *walk->at == '/';
        walk->at++;
    }
    if (slashes && walk->at - begin >= 2) {
        skip_line(walk);
    }
}

/* Behind one word, text, comment or other character. False: it is open at the end. */
static bool skip_one(struct walk *walk)
{
    char c = *walk->at;
    if (c == '"' || c == '\'') {
        return skip_quoted(walk);
    }
    if (begins(walk, "/*")) {
        walk->at += 2;
        return skip_behind(walk, "*/");
    }
    if (c == '#') {
        skip_line(walk);
    } else if (begins(walk, "${") && skip_behind(walk, "}")) {
        return true;
    } else if (is_word(c)) {
        skip_word(walk);
    } else {
        walk->at++;
    }
    return true;
}

static int line_of(struct rwd_text text, const char *at)
{
    int line = 1;
    for (const char *c = text.data; c < at; c++) {
        line += *c == '\n';
    }
    return line;
}

/* begin: where it opens. */
static enum rwd_status fail_open(
    const char *path, struct rwd_text text, const char *begin, struct rwd_error *error)
{
    const char *what = *begin == '{' ? "section" : *begin == '/' ? "comment" : "text";
    const char *end = *begin == '{' ? "}" : *begin == '/' ? "*/" : *begin == '"' ? "\"" : "'";
    return rwd_fail(error, RWD_INVALID,
        "%s:%d: the %s that begins here does not end: add the %s, or put the file back whole if it "
        "was cut off",
        path, line_of(text, begin), what, end);
}

enum rwd_status rwd_config_text_check(
    const char *path, struct rwd_text text, struct rwd_error *error)
{
    const char *nul = memchr(text.data, '\0', text.size);
    if (nul != NULL) {
        return rwd_fail(error, RWD_INVALID,
            "%s:%d: there is a NUL character: this is no text file, or a damaged one; put it back "
            "whole",
            path, line_of(text, nul));
    }
    struct walk walk = {.at = text.data, .end = text.data + text.size};
    const char *section = NULL; /* the outermost that is open */
    size_t depth = 0;
    while (walk.at < walk.end) {
        const char *begin = walk.at;
        if (!skip_one(&walk)) {
            return fail_open(path, text, begin, error);
        }
        if (*begin == '{' && depth++ == 0) {
            section = begin;
        } else if (*begin == '}' && depth > 0) {
            depth--;
        }
    }
    return depth == 0 ? RWD_OK : fail_open(path, text, section, error);
}
