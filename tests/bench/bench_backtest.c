// room: backtest
/*
 * How fast a backtest goes through a journal: a rule with a score, caps and milestones on bets of
 * 100,000 players by a rough Zipf, in a journal made for it, on one thread and on two.
 *     bench_backtest [events]
 * One JSON line a figure. backtest_core_N is events by second of CPU time of the whole process,
 * reader included: what a core does, whatever else the machine is busy with. Goal: 400,000.
 */
#include "backtest/backtest.h"
#include "base/clock.h"
#include "engine/records.h"
#include "journal/journal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLAYER_COUNT = 100000, COMMIT_COUNT = 1000, PATH_SIZE = 512, ROUNDS = 3 };

/* 2025-11-01T00:00:00Z */
static const int64_t begin_ms = 1761955200000;

static struct rwd_error error;

static void check(enum rwd_status status)
{
    if (status != RWD_OK) {
        (void)fprintf(stderr, "%s: %s\n", rwd_status_name(status), error.text);
        exit(1);
    }
}

static uint64_t scatter(uint64_t value)
{
    value ^= value >> 31;
    value *= 0x9e3779b97f4a7c15U;
    value ^= value >> 29;
    return value * 0xbf58476d1ce4e5b9U;
}

/* Each half of the players is met as often as the half before it. */
static uint64_t player_of(uint64_t serial)
{
    uint64_t bits = scatter(serial);
    uint64_t below = PLAYER_COUNT >> (bits & 7);
    return (bits >> 8) % (below > 0 ? below : 1);
}

static void append_event(
    struct rwd_journal_writer *writer, uint64_t serial, struct rwd_buffer *head)
{
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1};
    char user[24];
    char raw[640];
    char time[RWD_TIME_TEXT_SIZE];
    int64_t event_ms = begin_ms + (int64_t)serial * 100;
    int user_size = snprintf(user, sizeof user, "u_%08llu", (unsigned long long)player_of(serial));
    rwd_time_format(event_ms, time);
    int size = snprintf(raw, sizeof raw,
        "{\"event_id\":\"d9e8-%012llu\",\"event_name\":\"bet\",\"version\":\"1.2.0\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"%s\",\"geo\":\"TR\",\"platform\":\"android\",\"payer_flag\":true,"
        "\"risk_flags\":[\"vp_nightly\"]},\"context\":{\"session_id\":\"s_789\","
        "\"device_fp\":\"fp_1\",\"ip\":\"203.0.113.24\"},\"payload\":{\"game_id\":\"slot_wolf\","
        "\"bet\":0.5,\"win\":%llu.25,\"currency\":\"EUR\",\"provider\":\"GameCo\"}}",
        (unsigned long long)serial, time, user, (unsigned long long)(serial % 4));
    const struct rwd_text user_id = {.data = user, .size = (size_t)user_size};
    const struct rwd_decision decision = {
        .has_event = true, .event_ms = event_ms, .now_ms = event_ms};
    head->size = 0;
    rwd_event_body_encode(user_id, &decision, head);
    const struct rwd_text parts[] = {rwd_buffer_text(head), {.data = raw, .size = (size_t)size}};
    struct rwd_record record = {.type = RWD_RECORD_EVENT,
        .sequence = serial,
        .time_ms = event_ms,
        .user_fingerprint = rwd_fingerprint(key, user_id),
        .event_fingerprint = scatter(serial)};
    enum rwd_status status = rwd_journal_append(writer, &record, parts, 2);
    if (status == RWD_BUSY) { /* the segment's end */
        check(rwd_journal_commit(writer, &error));
        check(rwd_journal_prepare(writer, &error));
        status = rwd_journal_append(writer, &record, parts, 2);
    }
    check(status);
}

static void make_journal(const char *dir, uint64_t event_count)
{
    const struct rwd_journal_options options = {.dir = dir, .segment_size = 256 << 20};
    struct rwd_journal_writer *writer = NULL;
    struct rwd_buffer head = {0};
    check(rwd_journal_open(&options, &writer, &error));
    for (uint64_t serial = 1; serial <= event_count; serial++) {
        if (serial % COMMIT_COUNT == 1) {
            check(rwd_journal_commit(writer, &error));
            check(rwd_journal_prepare(writer, &error));
        }
        append_event(writer, serial, &head);
    }
    check(rwd_journal_commit(writer, &error));
    rwd_journal_close(writer);
    rwd_buffer_finish(&head);
}

static void make_rule(const char *dir)
{
    static const char source[] =
        "return rule { id = 'scores', version = '1.0.0', title = 'scores', owner = 'bench',\n"
        "on = { 'bet' }, active = { from = '2025-01-01T00:00:00Z', to = '2030-01-01T00:00:00Z' },\n"
        "where = { geo = { 'TR', 'BR', 'PE' } },\n"
        "when = function(event, player) return event.payload.bet >= 0.2 end,\n"
        "score = function(event, player) return event.payload.win / event.payload.bet * 3 end,\n"
        "caps = { per_event = 50, per_minute = 200, per_day = 1500 },\n"
        "milestones = { { at = 1000, reward = freespins { count = 10, game = 'slot_wolf' } },\n"
        "{ at = 10000, reward = freespins { count = 50, game = 'slot_wolf' } } },\n"
        "guards = { kyc_min_level = 0, budget = 'season' } }\n";
    char path[2 * PATH_SIZE];
    (void)mkdir(dir, 0700);
    (void)snprintf(path, sizeof path, "%s/scores", dir);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof path, "%s/scores/1.0.0.lua", dir);
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(source, file) < 0 || fclose(file) != 0) {
        (void)fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(const struct rwd_backtest_options *given, uint32_t thread_count)
{
    struct rwd_backtest_options options = *given;
    double wall = 0;
    double core = 0;
    options.thread_count = thread_count;
    for (int round = 0; round < ROUNDS; round++) {
        struct rwd_backtest_result *result = NULL;
        double begun = cpu_seconds();
        check(rwd_backtest_run(&options, &result, &error));
        double cpu = cpu_seconds() - begun;
        double rate = (double)result->event_count / ((double)result->elapsed_ns / 1e9);
        wall = rate > wall ? rate : wall;
        core = (double)result->event_count / cpu > core ? (double)result->event_count / cpu : core;
        rwd_backtest_result_free(result);
    }
    (void)printf(
        "{\"name\":\"backtest_%u\",\"value\":%.0f,\"unit\":\"events/s\"}\n", thread_count, wall);
    (void)printf("{\"name\":\"backtest_core_%u\",\"value\":%.0f,\"unit\":\"events/s\","
                 "\"reach\":400000}\n",
        thread_count, core);
    (void)fflush(stdout);
}

static void remove_all(const char *dir)
{
    static const char *const names[] = {"journal", "rules/scores", "rules"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        DIR *folder = opendir(path);
        for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
             entry = readdir(folder)) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
        if (folder != NULL) {
            (void)closedir(folder);
        }
        (void)rmdir(path);
    }
    (void)rmdir(dir);
}

int main(int argc, char **argv)
{
    uint64_t event_count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    char dir[] = "bench_backtest_XXXXXX";
    char journal[PATH_SIZE];
    char rules[PATH_SIZE];
    char conf[PATH_SIZE];
    if (mkdtemp(dir) == NULL) {
        (void)fprintf(stderr, "cannot make a folder here\n");
        return 1;
    }
    (void)snprintf(journal, sizeof journal, "%s/journal", dir);
    (void)snprintf(rules, sizeof rules, "%s/rules", dir);
    (void)snprintf(conf, sizeof conf, "%s/engine.conf", dir);
    FILE *file = fopen(conf, "we");
    if (file == NULL ||
        fputs("price \"freespins\" { cost = \"0.10\" currency = \"EUR\" }\nbudget \"season\" { "
              "currency = \"EUR\" period = \"season\" hard_cap = \"1000000.00\" }\n",
            file) < 0 ||
        fclose(file) != 0) {
        (void)fprintf(stderr, "cannot write %s\n", conf);
        return 1;
    }
    struct rwd_config *config = NULL;
    check(rwd_config_load(conf, NULL, 0, &config, &error));
    (void)unlink(conf);
    make_rule(rules);
    make_journal(journal, event_count);
    const struct rwd_backtest_options options = {.config = config,
        .journal_dir = journal,
        .rules_dir = rules,
        .rule_id = "scores",
        .version = "1.0.0",
        .since_ms = INT64_MIN,
        .until_ms = INT64_MAX};
    measure(&options, 1);
    measure(&options, 2);
    rwd_config_destroy(config);
    remove_all(dir);
    return 0;
}
