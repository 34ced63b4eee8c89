/*
 * config_text: the bytes of engine.conf, read once and found whole before they are parsed.
 *
 * Why: libConfuse takes the end of the file for the end of whatever is open, so half a file, as a
 * full disk or an interrupted copy leaves it, would start an engine with half its configuration: no
 * endpoint, another budget. It also carries an open quote over to the next file it reads.
 *
 * The words of the file are told apart exactly as libConfuse does it; what they mean is left to it.
 *
 * Threads: none of its own. Private to config.c.
 */
#ifndef RWD_DOMAIN_CONFIG_TEXT_H
#define RWD_DOMAIN_CONFIG_TEXT_H

#include "base/text.h"

enum { RWD_CONFIG_SIZE_MAX = 1 << 20 };

/* NOT_FOUND: cannot be read. LIMIT: larger than RWD_CONFIG_SIZE_MAX. */
RWD_MUST_USE enum rwd_status rwd_config_text_read(
    const char *path, struct rwd_buffer *text, struct rwd_error *error);

/* INVALID, with path:line of where it begins: a section, text or comment is still open at the end,
 * or there is a NUL. */
RWD_MUST_USE enum rwd_status rwd_config_text_check(
    const char *path, struct rwd_text text, struct rwd_error *error);

#endif
