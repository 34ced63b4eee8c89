/*
 * options: a command's own words and --options, read with getopt_long.
 *
 * Every option of a command takes a value; --help is understood by all of them.
 */
#ifndef RWD_CTL_OPTIONS_H
#define RWD_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { RWD_CTL_OPTION_COUNT_MAX = 8, RWD_CTL_GO_ON = -1 };

struct rwd_ctl_option {
    const char *name;
    const char *value; /* NULL: not given; "": a flag that was */
    bool is_flag;      /* takes no value */
};

struct rwd_ctl_line {
    const char *usage; /* the whole help text */
    struct rwd_ctl_option *options;
    size_t option_count;
    int word_count_min;
    int word_count_max;
    /* Filled in. */
    char **words;
    int word_count;
};

/* RWD_CTL_GO_ON, or the exit code to end with: help was printed, or the line was not understood. */
int rwd_ctl_options(int argc, char **argv, struct rwd_ctl_line *line);

#endif
