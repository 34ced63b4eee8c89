#include "ctl/options.h"

#include "base/check.h"
#include "ctl/ctl.h"

#include <getopt.h>
#include <stdio.h>

enum { OPTION_HELP = 'h', OPTION_FIRST = 256 };

int rwd_ctl_options(int argc, char **argv, struct rwd_ctl_line *line)
{
    RWD_REQUIRE(line->option_count <= RWD_CTL_OPTION_COUNT_MAX);
    struct option longs[RWD_CTL_OPTION_COUNT_MAX + 2] = {{"help", no_argument, NULL, OPTION_HELP}};
    for (size_t i = 0; i < line->option_count; i++) {
        longs[i + 1] = (struct option){line->options[i].name,
            line->options[i].is_flag ? no_argument : required_argument, NULL,
            OPTION_FIRST + (int)i};
    }
    optind = 0; /* glibc: begin anew, argv is another one than main's */
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (letter == OPTION_HELP) {
            (void)fputs(line->usage, stdout);
            return RWD_CTL_OK;
        }
        if (letter < OPTION_FIRST) {
            (void)fputs(line->usage, stderr);
            return RWD_CTL_USAGE;
        }
        line->options[letter - OPTION_FIRST].value = optarg != NULL ? optarg : "";
    }
    line->words = argv + optind;
    line->word_count = argc - optind;
    if (line->word_count < line->word_count_min || line->word_count > line->word_count_max) {
        (void)fputs(line->usage, stderr);
        return RWD_CTL_USAGE;
    }
    return RWD_CTL_GO_ON;
}
