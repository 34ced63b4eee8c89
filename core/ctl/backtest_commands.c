/* rules backtest: a rule on events that have already happened. Reads files; no daemon is asked. */
#include "backtest/backtest.h"

#include "base/clock.h"
#include "base/memory.h"
#include "ctl/backtest_report.h"
#include "ctl/options.h"
#include "ctl/rule_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 4096, BAR_SIZE = 30, PROGRESS_INTERVAL_MS = 100 };

static const char usage[] =
    "usage: rewardctl rules backtest ID@VERSION --from journal|FILE.ndjson [options]\n"
    "\n"
    "Runs a version of a rule over events that have happened: the daemon's own core, with caps,\n"
    "milestones, gates and budgets on, play money and the events' clock. Nobody is paid. Tells "
    "the\n"
    "cost by budget and day, who wins and loses, milestones, how points are spread, why the rule\n"
    "did not fire, and the first event that met a budget's cap.\n"
    "\n"
    "  --from journal       <data.dir>/journal of engine.conf; a daemon may be writing it\n"
    "  --from DIR           another journal folder\n"
    "  --from FILE.ndjson   an event a line, checked against the schemas; a line that is no event\n"
    "                       ends the run with FILE:LINE\n"
    "  --rules DIR          where rules are; default rules.dir. Of every other rule the newest\n"
    "                       version runs beside, for rules share budgets and points\n"
    "  --alone              without the other rules\n"
    "  --against VERSION    decide every event by that version too, and compare; or ID@VERSION\n"
    "  --since, --until T   event time, half open; 2025-11-01 or 2025-11-01T12:00:00Z. Events\n"
    "                       before it tell who the players are (KYC, exclusions, country)\n"
    "  --threads N          default: all cores. The result does not depend on it\n"
    "  --json               the result as one JSON object on stdout\n"
    "  --html FILE          the result as one page with plots\n"
    "\n"
    "Each budget is whole at the beginning, and has the caps that the journal gives it from where\n"
    "it gives them on (PUT /v1/budgets); engine.conf's are for budgets the journal does not have.\n"
    "Prices are engine.conf's. Payouts, approvals, rejections and expired holds of the journal "
    "are\n"
    "carried out on the same rewards; rewards it does not know keep their money reserved.\n"
    "\n"
    "Exit code 0: done; 1: it could not be done; 2: not understood. JSON: rule_id, events, "
    "players,\n"
    "sides[] (first the version, then the one it is compared with: points, rewards, cost, "
    "currency,\n"
    "verdicts, statuses, reasons, errors, days, pool_days, pools with first_soft_breach and\n"
    "first_hard_breach, periods with what was used, milestones, points_per_player), winners, "
    "losers,\n"
    "same, top_winners, top_losers. Money is a decimal string.\n";

/* A bar on a terminal, redrawn a few times a second. */
struct bar {
    struct rwd_clock clock;
    int64_t begun_ns;
    int64_t drawn_ns;
    bool drawn;
};

static void draw(void *context, const struct rwd_backtest_progress *progress)
{
    struct bar *bar = context;
    int64_t now_ns = rwd_clock_monotonic_ns(&bar->clock);
    if (now_ns - bar->drawn_ns < (int64_t)PROGRESS_INTERVAL_MS * 1000000) {
        return;
    }
    bar->drawn_ns = now_ns;
    bar->drawn = true;
    double seconds = (double)(now_ns - bar->begun_ns) / 1e9;
    double part =
        progress->bytes_total > 0 ? (double)progress->bytes / (double)progress->bytes_total : 0;
    part = part > 1 ? 1 : part;
    static const char full[] = "##############################";
    (void)fprintf(stderr, "\r[%-*.*s] %3.0f %%  %llu events  %.0f/s ", BAR_SIZE,
        (int)(part * BAR_SIZE), full, part * 100, (unsigned long long)progress->events,
        (double)progress->events / seconds);
}

static void wipe(const struct bar *bar)
{
    if (bar->drawn) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

/* "2025-11-01" is its beginning. */
static bool read_time(const char *text, int64_t *time_ms)
{
    char whole[RWD_TIME_TEXT_SIZE];
    if (strlen(text) == strlen("2025-11-01")) {
        (void)snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
        text = whole;
    }
    return rwd_time_parse(rwd_text_of(text), time_ms);
}

/* "ID@V", or "V" for the same rule. */
static int read_against(struct rwd_backtest_options *options, const char *text)
{
    const char *at = text != NULL ? strrchr(text, '@') : NULL;
    if (at != NULL && (strncmp(text, options->rule_id, (size_t)(at - text)) != 0 ||
                          options->rule_id[at - text] != '\0')) {
        return rwd_ctl_fail(RWD_CTL_USAGE,
            "--against %s: another version of %s, as in --against 1.0.0", text, options->rule_id);
    }
    options->against = at != NULL ? at + 1 : text;
    if (options->against != NULL && strcmp(options->against, options->version) == 0) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--against %s: that is the version itself", options->against);
    }
    return RWD_CTL_OK;
}

static bool is_folder_of_segments(const char *path)
{
    size_t size = strlen(path);
    return strcmp(path, "journal") != 0 && access(path, F_OK) == 0 &&
           (size < 7 || strcmp(path + size - 7, ".ndjson") != 0);
}

/* --from: the configured journal, a folder, or a file. */
static void read_from(const struct rwd_ctl *ctl, const char *from,
    struct rwd_backtest_options *options, struct rwd_buffer *journal_dir,
    struct rwd_buffer *schemas_dir)
{
    const struct rwd_config *config = ctl->config;
    char inside[PATH_SIZE_MAX];
    (void)snprintf(inside, sizeof inside, "%s/.", from);
    if (strcmp(from, "journal") == 0) {
        rwd_buffer_put_format(journal_dir, "%s/journal", config->data_dir);
        options->journal_dir = rwd_buffer_c_string(journal_dir);
    } else if (is_folder_of_segments(from) && access(inside, F_OK) == 0) {
        options->journal_dir = from;
    } else {
        options->ndjson_path = from;
        rwd_buffer_put_format(schemas_dir, "%s%s",
            config->schemas_dir[0] != '\0' ? config->schemas_dir : options->rules_dir,
            config->schemas_dir[0] != '\0' ? "" : "/schemas");
        bool there = access(rwd_buffer_c_string(schemas_dir), R_OK) == 0;
        options->schemas_dir = there ? schemas_dir->data : NULL;
    }
}

static int write_page(const struct rwd_backtest_result *result, const char *path)
{
    struct rwd_buffer page = {0};
    rwd_backtest_put_page(result, &page);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fwrite(page.data, 1, page.size, file) == page.size;
    int failed = errno;
    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    rwd_buffer_finish(&page);
    return written ? RWD_CTL_OK
                   : rwd_ctl_fail(RWD_CTL_FAILED, "--html %s: %s", path, strerror(failed));
}

static int run(const struct rwd_backtest_options *given, bool json, const char *page_path)
{
    struct rwd_backtest_options options = *given;
    struct bar bar = {.clock = rwd_clock_system()};
    struct rwd_error error = {0};
    struct rwd_backtest_result *result = NULL;
    if (isatty(STDERR_FILENO) != 0) {
        bar.begun_ns = bar.drawn_ns = rwd_clock_monotonic_ns(&bar.clock);
        options.progress = draw;
        options.context = &bar;
    }
    enum rwd_status status = rwd_backtest_run(&options, &result, &error);
    wipe(&bar);
    if (status != RWD_OK) {
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    }
    struct rwd_buffer text = {0};
    if (json) {
        rwd_backtest_put_json(result, &text);
    } else {
        rwd_backtest_put_text(result, &text);
    }
    (void)fwrite(text.data, 1, text.size, stdout);
    rwd_buffer_finish(&text);
    double seconds = (double)result->elapsed_ns / 1e9;
    uint64_t count = result->event_count + result->before_count;
    (void)fprintf(stderr, "%llu events in %.2f s, %.0f a second, on %u thread%s\n",
        (unsigned long long)count, seconds, (double)count / seconds, result->thread_count,
        result->thread_count > 1 ? "s" : "");
    int code = page_path != NULL ? write_page(result, page_path) : RWD_CTL_OK;
    rwd_backtest_result_free(result);
    return code;
}

static bool read_threads(const char *text, uint32_t *count)
{
    uint64_t wanted = 0;
    if (text == NULL) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        wanted = cores > 0 ? (uint64_t)cores : 1;
        wanted = wanted > RWD_BACKTEST_THREAD_COUNT_MAX ? RWD_BACKTEST_THREAD_COUNT_MAX : wanted;
    } else if (!rwd_text_to_u64(rwd_text_of(text), &wanted)) {
        return false;
    }
    *count = (uint32_t)wanted;
    return wanted >= 1 && wanted <= RWD_BACKTEST_THREAD_COUNT_MAX;
}

enum option_index { FROM, RULES, ALONE, AGAINST, SINCE, UNTIL, THREADS, JSON, HTML, OPTION_COUNT };

static int understand(struct rwd_ctl_line *line, struct rwd_backtest_options *options)
{
    const struct rwd_ctl_option *given = line->options;
    char *at = strrchr(line->words[0], '@');
    if (at == NULL || at == line->words[0] || at[1] == '\0') {
        return rwd_ctl_fail(RWD_CTL_USAGE, "%s: write it as ID@VERSION, as in points_winmult@2.0.0",
            line->words[0]);
    }
    *at = '\0';
    options->rule_id = line->words[0];
    options->version = at + 1;
    options->alone = given[ALONE].value != NULL;
    if (given[FROM].value == NULL) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--from is missing: --from journal, or a file with an event a line");
    }
    if (given[SINCE].value != NULL && !read_time(given[SINCE].value, &options->since_ms)) {
        return rwd_ctl_fail(RWD_CTL_USAGE,
            "--since %s: a day (2025-11-01) or a time (2025-11-01T12:00:00Z)", given[SINCE].value);
    }
    if (given[UNTIL].value != NULL && !read_time(given[UNTIL].value, &options->until_ms)) {
        return rwd_ctl_fail(RWD_CTL_USAGE,
            "--until %s: a day (2025-11-01) or a time (2025-11-01T12:00:00Z)", given[UNTIL].value);
    }
    if (options->since_ms >= options->until_ms) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "the range is empty: --since is not before --until");
    }
    if (!read_threads(given[THREADS].value, &options->thread_count)) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "--threads %s: from 1 to %d", given[THREADS].value,
            RWD_BACKTEST_THREAD_COUNT_MAX);
    }
    return read_against(options, given[AGAINST].value);
}

int rwd_ctl_rules_backtest(struct rwd_ctl *ctl, int argc, char **argv)
{
    struct rwd_ctl_option given[OPTION_COUNT] = {[FROM] = {.name = "from"},
        [RULES] = {.name = "rules"},
        [ALONE] = {.name = "alone", .is_flag = true},
        [AGAINST] = {.name = "against"},
        [SINCE] = {.name = "since"},
        [UNTIL] = {.name = "until"},
        [THREADS] = {.name = "threads"},
        [JSON] = {.name = "json", .is_flag = true},
        [HTML] = {.name = "html"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = given,
        .option_count = OPTION_COUNT,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct rwd_backtest_options options = {
        .config = ctl->config, .since_ms = INT64_MIN, .until_ms = INT64_MAX};
    code = understand(&line, &options);
    if (code != RWD_CTL_OK) {
        return code;
    }
    struct rwd_buffer journal_dir = {0};
    struct rwd_buffer schemas_dir = {0};
    options.rules_dir = given[RULES].value != NULL ? given[RULES].value : ctl->config->rules_dir;
    read_from(ctl, given[FROM].value, &options, &journal_dir, &schemas_dir);
    code = run(&options, given[JSON].value != NULL, given[HTML].value);
    rwd_buffer_finish(&journal_dir);
    rwd_buffer_finish(&schemas_dir);
    return code;
}
