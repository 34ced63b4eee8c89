// room: store
/*
 * What a checkpoint and a look-up cost, through store.h alone. JSON lines, one a case; each has
 * min, median and max over its rounds.
 *
 *     bench_store [folder] [player count] [state bytes] [rounds]
 */
#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOAD_BATCH = 20000,
    TOUCHED_PLAYERS = 2000, /* a checkpoint's share, every 100 ms */
    POINTS_PER_PLAYER = 3,
    TASKS = 200,
    LOOKS = 20000,
    COLD_LOOKS = 500,
    ROUNDS_MAX = 200,
    STATE_SIZE_MAX = 1 << 16,
    ID_SIZE = 24,
};

struct bench {
    char path[512];
    char url[520];
    struct rwd_store *store;
    struct rwd_clock clock;
    uint64_t player_count;
    size_t state_size;
    size_t rounds;
    uint64_t random;
    uint64_t position;
    char state[STATE_SIZE_MAX];
    char (*ids)[ID_SIZE];
    struct rwd_player_row *players;
    struct rwd_points_row *points;
    struct rwd_task_row *tasks;
    char (*task_ids)[48];
    uint64_t task_no;
};

static void stop(const char *what, const struct rwd_error *error)
{
    (void)fprintf(stderr, "%s: %s\n", what, error->text);
    exit(1);
}

static uint64_t next_random(struct bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

/* Ids of players are hashed, so neither their making nor their activity follows the keys. */
static void put_id(char id[ID_SIZE], uint64_t number)
{
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1};
    (void)snprintf(id, ID_SIZE, "u-%016" PRIx64, rwd_siphash(key, &number, sizeof number));
}

static struct rwd_player_row player_row(struct bench *b, const char *id)
{
    return (struct rwd_player_row){.user_id = rwd_text_of(id),
        .kyc_level = 2,
        .geo = RWD_TEXT("DE"),
        .platform = RWD_TEXT("ios"),
        .newest_event_ms = 1763700000000 + (int64_t)(next_random(b) % 1000000),
        .sequence = next_random(b) >> 20,
        .state = {.data = b->state, .size = b->state_size + next_random(b) % 16}};
}

static void checkpoint(struct bench *b, struct rwd_checkpoint rows)
{
    struct rwd_error error;
    rows.journal_position = ++b->position;
    if (rwd_store_checkpoint(b->store, &rows, &error) != RWD_OK) {
        stop("checkpoint", &error);
    }
}

static double cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double wall_us(struct bench *b)
{
    return (double)rwd_clock_monotonic_ns(&b->clock) / 1e3;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Sorts the samples of one case and prints them, each divided by how many things it stands for. */
static void report(
    struct bench *b, const char *name, const char *unit, double *samples, size_t count, double per)
{
    qsort(samples, count, sizeof samples[0], ascending);
    (void)printf("{\"bench\":\"store\",\"case\":\"%s\",\"players\":%" PRIu64
                 ",\"state_bytes\":%zu,\"unit\":\"%s\",\"min\":%.2f,\"median\":%.2f,\"max\":%.2f,"
                 "\"rounds\":%zu}\n",
        name, b->player_count, b->state_size, unit, samples[0] / per, samples[count / 2] / per,
        samples[count - 1] / per, count);
    (void)fflush(stdout);
}

static int by_text(const void *left, const void *right)
{
    return memcmp(left, right, ID_SIZE);
}

static void pick_players(struct bench *b, size_t count, bool sorted)
{
    for (size_t i = 0; i < count; i++) {
        put_id(b->ids[i], next_random(b) % b->player_count);
    }
    if (sorted) {
        qsort(b->ids, count, ID_SIZE, by_text);
    }
    for (size_t i = 0; i < count; i++) {
        b->players[i] = player_row(b, b->ids[i]);
        for (size_t j = 0; j < POINTS_PER_PLAYER; j++) {
            static const char *const rules[POINTS_PER_PLAYER] = {
                "high_roller", "loyalty", "weekend_bonus"};
            b->points[i * POINTS_PER_PLAYER + j] =
                (struct rwd_points_row){.user_id = rwd_text_of(b->ids[i]),
                    .rule_id = rwd_text_of(rules[j]),
                    .day = 20400,
                    .points = (int64_t)(next_random(b) % 100000)};
        }
    }
}

static void load(struct bench *b)
{
    double began = wall_us(b);
    for (uint64_t i = 0; i < b->player_count; i += LOAD_BATCH) {
        size_t count =
            b->player_count - i < LOAD_BATCH ? (size_t)(b->player_count - i) : LOAD_BATCH;
        for (size_t j = 0; j < count; j++) {
            put_id(b->ids[j], i + j);
            b->players[j] = player_row(b, b->ids[j]);
            b->points[j] = (struct rwd_points_row){.user_id = rwd_text_of(b->ids[j]),
                .rule_id = RWD_TEXT("loyalty"),
                .day = (uint32_t)(20390 + j % 10),
                .points = 1};
        }
        checkpoint(b, (struct rwd_checkpoint){.players = b->players,
                          .player_count = count,
                          .points = b->points,
                          .points_count = count});
    }
    double took[1] = {wall_us(b) - began};
    report(b, "load_player_insert", "us", took, 1, (double)b->player_count);
}

enum what { PLAYERS = 1, POINTS = 2 };

static void bench_upserts(
    struct bench *b, const char *name, enum what what, bool sorted, double per)
{
    static double wall[ROUNDS_MAX];
    static double cpu[ROUNDS_MAX];
    char label[64];
    double cpu_began = cpu_us();
    for (size_t round = 0; round < b->rounds; round++) {
        pick_players(b, TOUCHED_PLAYERS, sorted);
        double wall_began = wall_us(b);
        cpu_began = cpu_us();
        checkpoint(
            b, (struct rwd_checkpoint){.players = b->players,
                   .player_count = (what & PLAYERS) != 0 ? TOUCHED_PLAYERS : 0,
                   .points = b->points,
                   .points_count = (what & POINTS) != 0 ? TOUCHED_PLAYERS * POINTS_PER_PLAYER : 0});
        wall[round] = wall_us(b) - wall_began;
        cpu[round] = cpu_us() - cpu_began;
    }
    double sum = 0;
    for (size_t round = 0; round < b->rounds; round++) {
        sum += cpu[round];
    }
    (void)snprintf(label, sizeof label, "%s_%s", name, sorted ? "sorted" : "random");
    report(b, label, per > 1 ? "us" : "us per checkpoint", wall, b->rounds, per);
    /* The mean too: copying the log back falls on few rounds. */
    double mean[1] = {sum / (double)b->rounds};
    (void)snprintf(label, sizeof label, "%s_%s_cpu_mean", name, sorted ? "sorted" : "random");
    report(b, label, per > 1 ? "us" : "us per checkpoint", mean, 1, per);
}

static struct rwd_task_row task_row(struct bench *b, size_t i)
{
    put_id(b->ids[i], next_random(b) % b->player_count);
    return (struct rwd_task_row){.task_id = rwd_text_of(b->task_ids[i]),
        .user_id = rwd_text_of(b->ids[i]),
        .rule_id = RWD_TEXT("loyalty"),
        .version = RWD_TEXT("1.4.0"),
        .content_hash =
            RWD_TEXT("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        .threshold = 100,
        .event_id = RWD_TEXT("ev-0123456789abcdef"),
        .kind = RWD_TEXT("bonus_cash"),
        .reward = RWD_TEXT("{\"type\":\"bonus_cash\",\"amount\":\"5.00\",\"currency\":\"EUR\","
                           "\"wagering\":10}"),
        .state = {.data = b->state, .size = 200},
        .pool_id = RWD_TEXT("welcome"),
        .pool_period = 20400,
        .cost_minor = 500,
        .currency = RWD_TEXT("EUR"),
        .status = RWD_TEXT("pending"),
        .created_ms = 1763700000000 + (int64_t)b->task_no,
        .updated_ms = 1763700000000 + (int64_t)b->task_no};
}

static void bench_tasks(struct bench *b)
{
    static double inserts[ROUNDS_MAX];
    static double updates[ROUNDS_MAX];
    for (size_t round = 0; round < b->rounds; round++) {
        for (size_t i = 0; i < TASKS; i++) {
            char id[ID_SIZE];
            put_id(id, ++b->task_no << 32);
            (void)snprintf(b->task_ids[i], sizeof b->task_ids[i], "rt_%s%s", id + 2, id + 2);
            b->tasks[i] = task_row(b, i);
        }
        struct rwd_checkpoint rows = {.tasks = b->tasks, .task_count = TASKS};
        double began = wall_us(b);
        checkpoint(b, rows);
        inserts[round] = wall_us(b) - began;
        for (size_t i = 0; i < TASKS; i++) {
            b->tasks[i].status = RWD_TEXT("succeeded");
            b->tasks[i].attempts = 1;
        }
        began = wall_us(b);
        checkpoint(b, rows);
        updates[round] = wall_us(b) - began;
    }
    report(b, "task_insert", "us", inserts, b->rounds, TASKS);
    report(b, "task_update", "us", updates, b->rounds, TASKS);
}

static void look(
    struct bench *b, struct rwd_store_reader *reader, struct rwd_arena *arena, uint64_t number)
{
    char id[ID_SIZE];
    struct rwd_player_row player;
    struct rwd_seen_row *seen = NULL;
    size_t count = 0;
    struct rwd_error error = {.text = "not found"};
    put_id(id, number % b->player_count);
    if (rwd_store_player(reader, rwd_text_of(id), arena, &player, &seen, &count, &error) !=
        RWD_OK) {
        stop("player", &error);
    }
    rwd_arena_reset(arena, SIZE_MAX);
}

static void drop_page_cache(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        (void)fdatasync(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
    }
}

static void bench_looks(struct bench *b)
{
    static double hot[10];
    static double beside[10];
    static double cold[COLD_LOOKS];
    struct rwd_store_reader *reader = NULL;
    struct rwd_error error;
    struct rwd_arena arena;
    rwd_arena_init(&arena, 1 << 17, 1 << 20);
    if (rwd_store_reader_open(b->url, &reader, &error) != RWD_OK) {
        stop("reader", &error);
    }
    for (size_t round = 0; round < 11; round++) {
        double began = wall_us(b);
        for (size_t i = 0; i < LOOKS; i++) {
            look(b, reader, &arena, next_random(b));
        }
        hot[round > 0 ? round - 1 : 0] = wall_us(b) - began;
    }
    report(b, "player_load_hot", "us", hot, 10, LOOKS);
    /* A commit makes SQLite drop the reader's pages: what a look-up costs between checkpoints. */
    for (size_t round = 0; round < 10; round++) {
        pick_players(b, TOUCHED_PLAYERS, true);
        checkpoint(
            b, (struct rwd_checkpoint){.players = b->players, .player_count = TOUCHED_PLAYERS});
        double began = wall_us(b);
        for (size_t i = 0; i < 500; i++) {
            look(b, reader, &arena, next_random(b));
        }
        beside[round] = wall_us(b) - began;
    }
    report(b, "player_load_after_commit", "us", beside, 10, 500);
    rwd_store_reader_close(reader);
    rwd_store_close(b->store); /* the log goes into the file */
    drop_page_cache(b->path);
    if (rwd_store_open(b->url, &b->store, &error) != RWD_OK ||
        rwd_store_reader_open(b->url, &reader, &error) != RWD_OK) {
        stop("reopen", &error);
    }
    for (size_t i = 0; i < COLD_LOOKS; i++) {
        double began = wall_us(b);
        look(b, reader, &arena, next_random(b));
        cold[i] = wall_us(b) - began;
    }
    report(b, "player_load_cold", "us", cold, COLD_LOOKS, 1);
    rwd_store_reader_close(reader);
    rwd_arena_finish(&arena);
}

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char file[530];
        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
}

int main(int count, char **arguments)
{
    struct bench *b = rwd_new(sizeof *b);
    struct rwd_error error;
    const char *folder = count > 1 ? arguments[1] : "/tmp";
    b->player_count = count > 2 ? strtoull(arguments[2], NULL, 10) : 100000;
    b->state_size = count > 3 ? strtoull(arguments[3], NULL, 10) : 300;
    b->rounds = count > 4 ? strtoull(arguments[4], NULL, 10) : 40;
    b->rounds = b->rounds < 1 ? 1 : b->rounds > ROUNDS_MAX ? ROUNDS_MAX : b->rounds;
    b->state_size = b->state_size > STATE_SIZE_MAX - 16 ? STATE_SIZE_MAX - 16 : b->state_size;
    b->player_count = b->player_count < 1 ? 1 : b->player_count;
    b->random = 88172645463325252;
    b->clock = rwd_clock_system();
    for (size_t i = 0; i < STATE_SIZE_MAX; i++) {
        b->state[i] = (char)next_random(b);
    }
    b->ids = rwd_new(LOAD_BATCH * sizeof b->ids[0]);
    b->players = rwd_new(LOAD_BATCH * sizeof b->players[0]);
    b->points = rwd_new(LOAD_BATCH * sizeof b->points[0]);
    b->tasks = rwd_new(TASKS * sizeof b->tasks[0]);
    b->task_ids = rwd_new(TASKS * sizeof b->task_ids[0]);
    (void)snprintf(b->path, sizeof b->path, "%s/bench_store-%d.db", folder, (int)getpid());
    (void)snprintf(b->url, sizeof b->url, "sqlite:%s", b->path);
    if (rwd_store_open(b->url, &b->store, &error) != RWD_OK) {
        stop("open", &error);
    }
    load(b);
    bench_upserts(b, "player_upsert", PLAYERS, false, TOUCHED_PLAYERS);
    bench_upserts(b, "player_upsert", PLAYERS, true, TOUCHED_PLAYERS);
    bench_upserts(b, "points_upsert", POINTS, false, TOUCHED_PLAYERS * POINTS_PER_PLAYER);
    bench_upserts(b, "points_upsert", POINTS, true, TOUCHED_PLAYERS * POINTS_PER_PLAYER);
    bench_upserts(b, "checkpoint_2000_players_6000_points", PLAYERS | POINTS, false, 1);
    bench_upserts(b, "checkpoint_2000_players_6000_points", PLAYERS | POINTS, true, 1);
    bench_tasks(b);
    bench_looks(b);
    rwd_store_close(b->store);
    remove_files(b->path);
    rwd_free(b->ids);
    rwd_free(b->players);
    rwd_free(b->points);
    rwd_free(b->tasks);
    rwd_free(b->task_ids);
    rwd_free(b);
    return 0;
}
