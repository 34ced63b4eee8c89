/* journal verify and journal cat: the journal read from its files, with or without a daemon. */
#include "base/clock.h"
#include "base/memory.h"
#include "ctl/ctl.h"
#include "ctl/options.h"
#include "ctl/record_text.h"

#include <stdio.h>
#include <string.h>

/* Printed in pieces of this size, so that a long journal needs no long memory. */
enum { OUTPUT_SIZE = 256 << 10 };

static char *journal_dir(const struct rwd_ctl *ctl, const char *dir)
{
    struct rwd_buffer path = {0};
    if (dir != NULL) {
        rwd_buffer_put_string(&path, dir);
    } else {
        rwd_buffer_put_format(&path, "%s/journal", ctl->config->data_dir);
    }
    return rwd_buffer_c_string(&path);
}

static int verify(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl journal verify [--dir D]\n"
        "\n"
        "Reads the whole journal: every checksum, every link of the hash chain, every segment. "
        "Names\n"
        "the first changed byte or the record, commit or segment that is missing, and then exits\n"
        "with 1. D: the folder of the segments; default <data.dir>/journal.\n"
        "Keep the chain's value that it prints in another place: a journal that was rewritten as "
        "a\n"
        "whole is true to itself, but not to that value.\n";
    struct rwd_ctl_option options[] = {{.name = "dir"}};
    struct rwd_ctl_line line = {.usage = usage, .options = options, .option_count = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct rwd_journal_verdict verdict = {0};
    struct rwd_error error = {0};
    char *dir = journal_dir(ctl, options[0].value);
    code = RWD_CTL_OK;
    if (rwd_journal_verify(dir, &verdict, &error) != RWD_OK) {
        code = rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    } else {
        struct rwd_buffer chain = {0};
        rwd_buffer_put_hex(&chain, verdict.chain, sizeof verdict.chain);
        (void)printf("ok: %llu records in %llu commits, %llu segments, %llu bytes\nchain %s\n",
            (unsigned long long)verdict.records, (unsigned long long)verdict.commits,
            (unsigned long long)verdict.segments, (unsigned long long)verdict.bytes,
            rwd_buffer_c_string(&chain));
        if (verdict.torn_bytes > 0) {
            (void)printf("%llu bytes behind the last commit are unfinished: no damage, nobody was "
                         "told that they are kept\n",
                (unsigned long long)verdict.torn_bytes);
        }
        rwd_buffer_finish(&chain);
    }
    rwd_free(dir);
    return code;
}

static enum rwd_status print_records(struct rwd_journal_reader *reader,
    struct rwd_record_text *text, struct rwd_buffer *out, struct rwd_error *error)
{
    struct rwd_record record = {0};
    enum rwd_status status = RWD_OK;
    while ((status = rwd_journal_reader_next(reader, &record, error)) == RWD_OK) {
        status = rwd_record_text_put(text, &record, out, error);
        if (status != RWD_OK) {
            break;
        }
        if (out->size >= OUTPUT_SIZE) {
            if (fwrite(out->data, 1, out->size, stdout) != out->size) {
                return rwd_fail(error, RWD_UNAVAILABLE, "the output could not be written");
            }
            out->size = 0;
        }
    }
    (void)fwrite(out->data, 1, out->size, stdout);
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

static int cat(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl journal cat [--dir D] [--user U] [--event E] [--since TIME]\n"
        "\n"
        "Prints records as JSON, one a line, oldest first: position, sequence, type, time, and "
        "what\n"
        "the record says. --user: what happened to one player. --event: one event, its decision "
        "and\n"
        "all that became of its rewards. --since: journal time, as in 2025-11-01T10:00:00Z.\n"
        "Personal data is printed as it was sent: mind where the output goes.\n";
    struct rwd_ctl_option options[] = {
        {.name = "dir"}, {.name = "user"}, {.name = "event"}, {.name = "since"}};
    struct rwd_ctl_line line = {.usage = usage, .options = options, .option_count = 4};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct rwd_record_filter filter = {.user_id = options[1].value, .event_id = options[2].value};
    const char *since = options[3].value;
    if (since != NULL && !rwd_time_parse(rwd_text_of(since), &filter.since_ms)) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "--since %s: write it like 2025-11-01T10:00:00Z", since);
    }
    struct rwd_error error = {0};
    struct rwd_buffer out = {0};
    struct rwd_journal_reader *reader = NULL;
    struct rwd_record_text *text = rwd_record_text_create(&filter);
    char *dir = journal_dir(ctl, options[0].value);
    enum rwd_status status = rwd_journal_reader_open(dir, 0, &reader, &error);
    if (status == RWD_OK) {
        status = print_records(reader, text, &out, &error);
    }
    code = status == RWD_OK ? RWD_CTL_OK : rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    rwd_journal_reader_close(reader);
    rwd_record_text_destroy(text);
    rwd_buffer_finish(&out);
    rwd_free(dir);
    return code;
}

int rwd_ctl_journal(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl journal verify [--dir D]\n"
        "       rewardctl journal cat [--dir D] [--user U] [--event E] [--since TIME]\n"
        "\n"
        "rewardctl journal verify --help and rewardctl journal cat --help say more.\n";
    if (argc > 1 && strcmp(argv[1], "verify") == 0) {
        return verify(ctl, argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "cat") == 0) {
        return cat(ctl, argc - 1, argv + 1);
    }
    bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    (void)fputs(usage, asked ? stdout : stderr);
    return asked ? RWD_CTL_OK : RWD_CTL_USAGE;
}
