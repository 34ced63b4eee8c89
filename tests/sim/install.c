#include "sim.h"

#include "base/memory.h"

#include <string.h>
#include <sys/stat.h>

static const char *const sources[] = {
    "return rule { id = 'points', version = '1.0.0', on = 'bet',\n"
    "score = function(event) return event.payload.stake end,\n"
    "caps = { per_event = 60, per_minute = 100 },\n"
    "milestones = { { at = 50, reward = freespins { count = 3, game = 'g' } },\n"
    "{ at = 200, reward = bonus_cash { amount = '1.50', currency = 'EUR' } },\n"
    "{ at = 400, reward = cash { amount = '2.00', currency = 'EUR' } } },\n"
    "guards = { budget = 'wide', kyc_min_level = 1 } }",
    "return rule { id = 'spins', version = '1.0.0', on = 'bet',\n"
    "grant = function(event) if event.payload.stake == 7 then\n"
    "return freespins { count = 1, game = 'g' } end end,\n"
    "guards = { budget = 'tight', kyc_min_level = 0 } }",
    "return rule { id = 'waits', version = '1.0.0', on = 'bet', order = 'event_time',\n"
    "state = { n = 0 }, score = function(event, player, state)\n"
    "state.n = state.n + 1 return 1 end }",
};
static const char *const rule_ids[] = {"points", "spins", "waits"};

const char *sim_rule_id(uint32_t rule_no)
{
    return rule_ids[rule_no - 1];
}

static void through(struct sim *sim, struct rwd_batch *batch)
{
    sim_submit(sim, batch);
    while (rwd_mailbox_depth(sim->client) == 0) {
        sim_walk(sim);
    }
    (void)rwd_mailbox_take(sim->client);
    for (size_t i = 0; i < batch->count; i++) {
        MUST(sim, batch->inputs[i].outcome == RWD_OUTCOME_ACCEPTED, "outcome %d",
            (int)batch->inputs[i].outcome);
    }
    sim_free_batch(sim, batch);
}

void sim_put_budget(
    struct sim *sim, struct rwd_text pool_id, int64_t hard_cap_minor, int64_t soft_cap_minor)
{
    const struct rwd_budget_row row = {.pool_id = pool_id,
        .currency = RWD_TEXT("EUR"),
        .period = RWD_TEXT("season"),
        .hard_cap_minor = hard_cap_minor,
        .soft_cap_minor = soft_cap_minor};
    struct rwd_batch *batch = sim_new_batch(sim, 0, sim->client);
    rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = &row;
    through(sim, batch);
}

void sim_put_rules(struct sim *sim)
{
    struct rwd_batch *batch = sim_new_batch(sim, 0, sim->client);
    struct rwd_rule_version_row rows[RULE_COUNT];
    for (uint32_t i = 0; i < RULE_COUNT; i++) {
        struct rwd_directory_entry entry = {.rule_no = i + 1, .version_no = i + 1};
        (void)snprintf(entry.rule_id, sizeof entry.rule_id, "%s", rule_ids[i]);
        (void)snprintf(entry.version, sizeof entry.version, "1.0.0");
        (void)snprintf(entry.content_hash, sizeof entry.content_hash, "%064u", i);
        const struct rwd_directory_entry *kept = NULL;
        MUST(sim, rwd_directory_add(sim->engine->directory, &entry) == RWD_OK, "directory");
        kept = rwd_directory_version(sim->engine->directory, i + 1);
        rows[i] = (struct rwd_rule_version_row){.rule_id = rwd_text_of(kept->rule_id),
            .version = rwd_text_of(kept->version),
            .rule_no = i + 1,
            .version_no = i + 1,
            .content_hash = rwd_text_of(kept->content_hash),
            .state = RWD_TEXT("draft"),
            .source = rwd_text_of(sources[i]),
            .source_name = RWD_TEXT("sim.lua"),
            .registered_ms = noon_ms,
            .since_ms = noon_ms,
            .actor = RWD_TEXT("sim")};
        rwd_batch_add(batch, RWD_INPUT_RULE_VERSION)->rule_version = &rows[i];
    }
    const struct rwd_rulebook_row rulebook = {.rulebook_no = 1,
        .versions = RWD_TEXT("{\"bet\":[1,2,3]}"),
        .since_ms = noon_ms,
        .actor = RWD_TEXT("sim")};
    rwd_batch_add(batch, RWD_INPUT_RULEBOOK)->rulebook = &rulebook;
    through(sim, batch);
}

void sim_load_rules(struct sim *sim)
{
    struct rwd_sandbox_limits limits = rwd_ruleset_limits_default().sandbox;
    for (uint32_t i = 0; i < RULE_COUNT; i++) {
        struct rwd_rule *rule = NULL;
        MUST_OK(
            sim, rwd_rule_load(rwd_text_of(sources[i]), "sim.lua", &limits, &rule, &sim->error));
        rule->rule_no = i + 1;
        rule->version_no = i + 1;
        sim->rules[i] = rwd_shared_rule_create(&rule);
    }
}

static void make_folder(struct sim *sim, const char *name)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", sim->folder, name);
    MUST(sim, mkdir(path, 0700) == 0, "%s", path);
}

static void write_file(struct sim *sim, const char *name, struct rwd_text bytes)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", sim->folder, name);
    FILE *file = fopen(path, "we");
    MUST(sim,
        file != NULL && fwrite(bytes.data, 1, bytes.size, file) == bytes.size && fclose(file) == 0,
        "%s", path);
}

void sim_load_config(struct sim *sim)
{
    struct rwd_buffer conf = {0};
    rwd_buffer_put_format(&conf,
        "data { dir = \"%s/data\" }\nrules { dir = \"%s\" }\n"
        "journal { segment_size_mib = 1 }\nsandbox { deadline_ms = 1000 deadline_hard_ms = 2000 }\n"
        "engine { shards = 2 checkpoint_interval_ms = 10 checkpoint_player_count_max = 16 "
        "hot_player_count_max = 64 }\n"
        "gates { large_reward = \"1.00\" }\n"
        "price \"freespins\" { cost = \"0.10\" currency = \"EUR\" }\n",
        sim->folder, sim->folder);
    write_file(sim, "engine.conf", rwd_buffer_text(&conf));
    rwd_buffer_finish(&conf);
    make_folder(sim, "schemas");
    make_folder(sim, "data");
    /* Which shard a user belongs to follows from the key, and must not differ from run to run. */
    write_file(sim, "data/fingerprint.key", RWD_TEXT("sixteen bytes ok"));
    char path[96];
    (void)snprintf(path, sizeof path, "%s/engine.conf", sim->folder);
    MUST_OK(sim, rwd_config_load(path, NULL, 0, &sim->config, &sim->error));
}
