// room: domain
/*
 * bench_json: what scanning, reading and checking one event costs, as JSON lines.
 *
 * 256 different events in turn, so that no branch predictor learns one of them by heart; the arena
 * is rewound after each, as a batch does. The best of several rounds: other work on the machine can
 * only add.
 */
#include "domain/schema.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENT_COUNT = 256, ROUND_COUNT = 15, LAP_COUNT = 200, EVENT_SIZE_MAX = 512 };

struct sample {
    char text[EVENT_SIZE_MAX];
    size_t size;
};

static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = "0123456789abcde";
static const struct rwd_json_limits limits = {
    .depth_max = 32, .node_count_max = 1024, .size_max = 64 * 1024};

static void write_sample(struct sample *sample, unsigned i)
{
    static const char *const games[] = {"slot_wolf", "roulette_vip", "crash", "book_of_ra"};
    static const char *const platforms[] = {"android", "ios", "web", "desktop"};
    int size = snprintf(sample->text, sizeof sample->text,
        "{\"event_id\":\"%08x-5c2%u-4d1a-9f00-a1b2c3d4e5f6\",\"event_name\":\"bet\",\"version\":"
        "\"1.2.0\","
        "\"ts\":\"2025-10-24T11:%02u:%02uZ\",\"user\":{\"id\":\"u_%u\",\"geo\":\"TR\","
        "\"platform\":\"%s\",\"payer_flag\":%s,\"risk_flags\":[\"vp_nightly\"]},"
        "\"context\":{\"session_id\":\"s_%u\",\"device_fp\":\"fp_%u\",\"ip\":\"203.0.113.%u\"},"
        "\"payload\":{\"game_id\":\"%s\",\"bet\":%u.%u,\"win\":%u.%02u,\"currency\":\"EUR\","
        "\"provider\":\"GameCo\"}}",
        i * 2654435761U, i % 7, i % 60, i * 7 % 60, i * 37, platforms[i % 4],
        i % 3 == 0 ? "true" : "false", i * 11, i % 50, i % 256, games[i / 4 % 4], i % 20, i % 10,
        i % 5 == 0 ? i * 3 : 0, i % 100);
    RWD_REQUIRE(size > 0 && size < EVENT_SIZE_MAX);
    sample->size = (size_t)size;
}

enum step { STEP_SCAN, STEP_READ, STEP_FIND, STEP_CHECK };

struct bench {
    struct sample samples[EVENT_COUNT];
    struct rwd_arena arena;
    struct rwd_schema_registry *registry;
    struct rwd_json tapes[EVENT_COUNT];
    struct rwd_event events[EVENT_COUNT];
    const struct rwd_schema *schema;
};

static void lap(struct bench *bench, enum step step)
{
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        struct rwd_text text = {bench->samples[i].text, bench->samples[i].size};
        struct rwd_problem problem;
        enum rwd_status status = RWD_OK;
        bool known = true;
        if (step == STEP_SCAN) {
            struct rwd_arena_mark mark = rwd_arena_mark(&bench->arena);
            struct rwd_json json;
            struct rwd_json_fault fault;
            size_t consumed = 0;
            status = rwd_json_scan(text, &limits, &bench->arena, &json, &consumed, &fault);
            rwd_arena_rewind(&bench->arena, mark);
        } else if (step == STEP_READ) {
            status = rwd_event_read(text, &bench->tapes[i], key, 0, &bench->events[i], &problem);
        } else if (step == STEP_FIND) {
            const struct rwd_schema *schema = rwd_schema_find(
                bench->registry, bench->events[i].name, bench->events[i].version, &known);
            status = schema == bench->schema ? RWD_OK : RWD_NOT_FOUND;
        } else {
            status = rwd_schema_check(bench->schema, &bench->tapes[i], &problem);
        }
        RWD_REQUIRE(status == RWD_OK);
    }
}

static double measure(struct bench *bench, enum step step)
{
    struct rwd_clock clock = rwd_clock_system();
    double best = 0;
    for (int round = 0; round < ROUND_COUNT; round++) {
        int64_t start = rwd_clock_monotonic_ns(&clock);
        for (int i = 0; i < LAP_COUNT; i++) {
            lap(bench, step);
        }
        double each = (double)(rwd_clock_monotonic_ns(&clock) - start) / LAP_COUNT / EVENT_COUNT;
        best = round == 0 || each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static struct bench bench;
    struct rwd_error error;
    size_t bytes = 0;
    rwd_arena_init(&bench.arena, 64 * 1024, 16 * 1024 * 1024);
    if (rwd_schema_registry_load(RWD_SOURCE_DIR "/rules/schemas", &bench.registry, &error) !=
        RWD_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        write_sample(&bench.samples[i], i);
        bytes += bench.samples[i].size;
        struct rwd_text text = {bench.samples[i].text, bench.samples[i].size};
        struct rwd_json_fault fault;
        struct rwd_problem problem;
        size_t consumed = 0;
        bool known = false;
        RWD_REQUIRE(rwd_json_scan(
                        text, &limits, &bench.arena, &bench.tapes[i], &consumed, &fault) == RWD_OK);
        RWD_REQUIRE(
            rwd_event_read(text, &bench.tapes[i], key, 0, &bench.events[i], &problem) == RWD_OK);
        bench.schema =
            rwd_schema_find(bench.registry, bench.events[i].name, bench.events[i].version, &known);
        RWD_REQUIRE(bench.schema != NULL);
    }
    static const char *const names[] = {"scan", "event_read", "schema_find", "schema_check"};
    for (int step = STEP_SCAN; step <= STEP_CHECK; step++) {
        (void)printf("{\"bench\":\"json_%s\",\"ns_per_event\":%.1f,\"bytes\":%zu,\"values\":%u}\n",
            names[step], measure(&bench, (enum step)step), bytes / EVENT_COUNT,
            bench.tapes[1].count);
    }
    rwd_schema_registry_destroy(bench.registry);
    rwd_arena_finish(&bench.arena);
    return 0;
}
