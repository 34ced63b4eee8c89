#include "domain/config.h"

#include "base/digest.h"
#include "base/memory.h"
#include "domain/config_text.h"

#include <confuse.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_type {
    OPTION_TEXT,
    OPTION_INTEGER,
    OPTION_BOOLEAN,
};

struct option {
    const char *section;
    const char *name;
    enum option_type type;
    size_t offset;
    const char *text;
    long number;
    long least;
    long most;
    const char *doc;
};

#define TEXT(section, name, value, doc)                                                            \
    {                                                                                              \
#section, #name, OPTION_TEXT, offsetof(struct rwd_config, section##_##name), value, 0, 0,  \
            0, doc                                                                                 \
    }
#define INTEGER(section, name, value, least, most, doc)                                            \
    {                                                                                              \
#section, #name, OPTION_INTEGER, offsetof(struct rwd_config, section##_##name), NULL,      \
            value, least, most, doc                                                                \
    }
#define BOOLEAN(section, name, value, doc)                                                         \
    {                                                                                              \
#section, #name, OPTION_BOOLEAN, offsetof(struct rwd_config, section##_##name), NULL,      \
            value, 0, 1, doc                                                                       \
    }

static const struct option options[] = {
    TEXT(server, listen, "127.0.0.1:8080", "address and port of the HTTP server; port 0: any free"),
    INTEGER(server, connection_count_max, 1024, 1, 100000, "open connections"),
    INTEGER(server, head_timeout_ms, 10000, 10, 600000, "a request's head must be in by then"),
    INTEGER(server, body_timeout_ms, 30000, 10, 600000, "a request's body must be in by then"),
    INTEGER(server, idle_timeout_ms, 120000, 10, 3600000, "an idle connection is closed"),
    INTEGER(server, inflight_size_max_mib, 64, 1, 65536,
        "request bytes taken in and not answered yet; past it 503"),
    TEXT(data, dir, "data", "journal and embedded store live here"),
    TEXT(rules, dir, "rules", "<id>/<version>.lua; watched for new files"),
    BOOLEAN(rules, auto_activate, 1, "the first version of a rule activates by itself"),
    TEXT(schemas, dir, "", "JSON Schemas; empty: <rules.dir>/schemas"),
    BOOLEAN(schemas, allow_unknown, 0, "accept events whose name or version has no schema"),
    INTEGER(journal, segment_size_mib, 256, 1, 4096, "size of a preallocated journal segment"),
    TEXT(store, url, "", "empty: sqlite:<data.dir>/rewardd.sqlite3"),
    INTEGER(engine, shards, 0, 0, 64, "threads that decide; 0: half the cores, at least one"),
    INTEGER(
        engine, checkpoint_interval_ms, 100, 10, 60000, "pause before changed players are stored"),
    INTEGER(engine, checkpoint_player_count_max, 128, 16, 1000000, "players in one checkpoint"),
    INTEGER(engine, recovery_checkpoint_record_count, 1048576, 1000, 1000000000,
        "records replayed at start between two checkpoints"),
    INTEGER(engine, hot_player_count_max, 200000, 64, 100000000,
        "players kept in memory, over all shards"),
    INTEGER(engine, batch_event_count_max, 256, 1, 4096, "events handed over at once"),
    INTEGER(engine, waiting_event_count_max, 256, 1, 4096,
        "events of one player that wait for rules in event time; past it, the oldest is decided "
        "early"),
    INTEGER(ingest, body_size_max_kib, 4096, 1, 1048576, "a request body"),
    INTEGER(ingest, event_size_max_kib, 64, 1, 512, "one event"),
    INTEGER(ingest, event_count_max, 10000, 1, 1000000, "events in a request"),
    INTEGER(ingest, depth_max, 32, 2, 256, "nesting of one event"),
    INTEGER(ingest, future_max_s, 300, 0, 86400, "how far an event may be ahead of the clock"),
    INTEGER(ingest, reorder_window_s, 60, 0, 3600, "how far behind is still in time"),
    INTEGER(sandbox, instruction_count_max, 100000, 1000, 100000000, "of one rule call"),
    INTEGER(sandbox, memory_size_max_mib, 16, 1, 1024, "of one rule's VM"),
    INTEGER(sandbox, deadline_ms, 5, 1, 1000, "CPU time of one rule call; past it, it is stopped"),
    INTEGER(sandbox, deadline_hard_ms, 20, 1, 10000,
        "a call that got past this suspends its rule at once; at least deadline_ms"),
    INTEGER(sandbox, error_count_max, 5, 1, 64,
        "errors in the last error_call_count calls that suspend a rule"),
    INTEGER(sandbox, error_call_count, 100, 1, 1000000, "see error_count_max"),
    TEXT(gates, large_reward, "50.00",
        "cost from which a reward is large: \"50.00\" of whatever currency the pool has, or by "
        "currency, as in \"EUR:50.00,JPY:8000\"; where none fits the currency (no amount for it, "
        "or "
        "49.99 of one without decimals), every reward is large"),
    TEXT(gates, geo_allowed, "", "countries that may be rewarded, as in \"TR,BR\"; empty: all"),
    INTEGER(gates, hold_expires_days, 90, 1, 3650,
        "a held reward expires, unless its partner may have paid it"),
    INTEGER(dispatcher, attempt_count_max, 8, 1, 100, "deliveries of one reward"),
    INTEGER(
        dispatcher, retry_base_ms, 1000, 1, 3600000, "first pause, doubled each time, jittered"),
    INTEGER(dispatcher, retry_max_ms, 3600000, 1, 86400000, "longest pause"),
    INTEGER(dispatcher, poll_interval_ms, 1000, 10, 60000, "how often due retries are looked for"),
    TEXT(log, level, "info", "debug, info, warn or error"),
};
#undef TEXT
#undef INTEGER
#undef BOOLEAN

enum { OPTION_COUNT = sizeof options / sizeof options[0], SECTION_OPTION_COUNT_MAX = 16 };

/* libConfuse reports through a callback without a context: the loading thread's error goes here,
 * and the file's name, which a section met a second time has not got. */
static _Thread_local struct rwd_error *parse_error;
static _Thread_local const char *parse_path;

static void report(cfg_t *cfg, const char *format, va_list arguments)
{
    char text[RWD_ERROR_TEXT_SIZE_MAX / 2];
    (void)vsnprintf(text, sizeof text, format, arguments);
    if (strcmp(text, "premature end of file") == 0) {
        (void)snprintf(text, sizeof text,
            "the file ends in the middle: say what follows, or put it back whole if it was cut "
            "off");
    }
    (void)rwd_fail(
        parse_error, RWD_INVALID, "%s:%d: %s", parse_path, cfg != NULL ? cfg->line : 0, text);
}

/* Puts file and line before what error says of a section. */
static enum rwd_status place(const cfg_t *section, enum rwd_status status, struct rwd_error *error)
{
    if (status == RWD_OK || error == NULL) {
        return status;
    }
    const struct rwd_error said = *error;
    return rwd_fail(error, status, "%s:%d: %s", parse_path, section->line, said.text);
}

static const struct option *find_option(const char *section, const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static int check_bounds(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct option *option = find_option(cfg->name, opt->name);
    if (option != NULL && option->type == OPTION_INTEGER) {
        long value = cfg_opt_getnint(opt, 0);
        if (value < option->least || value > option->most) {
            cfg_error(cfg, "%s.%s = %ld: must be from %ld to %ld (%s)", option->section,
                option->name, value, option->least, option->most, option->doc);
            return -1;
        }
    }
    return 0;
}

static cfg_opt_t endpoint_options[] = {
    CFG_STR("url", NULL, CFGF_NONE),
    CFG_STR("secret", NULL, CFGF_NONE),
    CFG_STR("secret_next", "", CFGF_NONE),
    CFG_STR("signature", "both", CFGF_NONE),
    CFG_STR_LIST("kinds", "{}", CFGF_NONE),
    CFG_BOOL("allow_private", cfg_false, CFGF_NONE),
    CFG_INT("timeout_ms", 5000, CFGF_NONE),
    CFG_INT("connect_timeout_ms", 2000, CFGF_NONE),
    CFG_INT("concurrency", 16, CFGF_NONE),
    CFG_INT("breaker_failures", 5, CFGF_NONE),
    CFG_INT("breaker_open_ms", 5000, CFGF_NONE),
    CFG_INT("response_size_max_kib", 64, CFGF_NONE),
    CFG_END(),
};

static cfg_opt_t price_options[] = {
    CFG_STR("cost", NULL, CFGF_NONE),
    CFG_STR("currency", NULL, CFGF_NONE),
    CFG_END(),
};

static cfg_opt_t budget_options[] = {
    CFG_STR("currency", NULL, CFGF_NONE),
    CFG_STR("period", "season", CFGF_NONE),
    CFG_STR("hard_cap", NULL, CFGF_NONE),
    CFG_STR("soft_cap", "", CFGF_NONE),
    CFG_END(),
};

/* The table as libConfuse wants it: sections in the order they first appear. */
struct grammar {
    cfg_opt_t sections[OPTION_COUNT + 4];
    cfg_opt_t entries[OPTION_COUNT][SECTION_OPTION_COUNT_MAX + 1];
    size_t section_count;
};

static void build_grammar(struct grammar *grammar)
{
    static const cfg_opt_t end = CFG_END();
    size_t begin = 0;
    while (begin < OPTION_COUNT) {
        size_t count = 0;
        cfg_opt_t *entries = grammar->entries[grammar->section_count];
        for (; begin + count < OPTION_COUNT &&
               strcmp(options[begin + count].section, options[begin].section) == 0;
             count++) {
            const struct option *option = &options[begin + count];
            const cfg_opt_t text = CFG_STR(option->name, option->text, CFGF_NONE);
            const cfg_opt_t number = CFG_INT(option->name, option->number, CFGF_NONE);
            const cfg_opt_t flag =
                CFG_BOOL(option->name, option->number != 0 ? cfg_true : cfg_false, CFGF_NONE);
            entries[count] = option->type == OPTION_TEXT      ? text
                             : option->type == OPTION_INTEGER ? number
                                                              : flag;
        }
        entries[count] = end;
        const cfg_opt_t section = CFG_SEC(options[begin].section, entries, CFGF_NONE);
        grammar->sections[grammar->section_count++] = section;
        begin += count;
    }
    const cfg_opt_t repeated[] = {
        CFG_SEC("endpoint", endpoint_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("price", price_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("budget", budget_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_END(),
    };
    memcpy(&grammar->sections[grammar->section_count], repeated, sizeof repeated);
}

static void set_field(
    struct rwd_config *config, const struct option *option, const char *text, long number)
{
    void *field = (char *)config + option->offset;
    if (option->type == OPTION_TEXT) {
        char **place = field;
        rwd_free(*place);
        *place = rwd_copy(text, strlen(text));
    } else if (option->type == OPTION_INTEGER) {
        *(int64_t *)field = number;
    } else {
        *(bool *)field = number != 0;
    }
}

static enum rwd_status apply_override(
    struct rwd_config *config, const char *override, struct rwd_error *error)
{
    const char *equals = strchr(override, '=');
    const char *dot = strchr(override, '.');
    char section[64];
    char name[64];
    if (equals == NULL || dot == NULL || dot > equals ||
        (size_t)(dot - override) >= sizeof section || (size_t)(equals - dot - 1) >= sizeof name) {
        return rwd_fail(error, RWD_INVALID, "-D %s: expected section.key=value", override);
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - override), override);
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - dot - 1), dot + 1);
    const struct option *option = find_option(section, name);
    if (option == NULL) {
        return rwd_fail(error, RWD_INVALID,
            "-D %s: there is no option %s.%s; rewardd --help-config lists them", override, section,
            name);
    }
    const char *value = equals + 1;
    long number = 0;
    if (option->type == OPTION_INTEGER) {
        char *end = NULL;
        number = strtol(value, &end, 10);
        if (end == value || *end != '\0' || number < option->least || number > option->most) {
            return rwd_fail(error, RWD_INVALID, "-D %s: must be a number from %ld to %ld", override,
                option->least, option->most);
        }
    } else if (option->type == OPTION_BOOLEAN) {
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
            return rwd_fail(error, RWD_INVALID, "-D %s: must be true or false", override);
        }
        number = strcmp(value, "true") == 0;
    }
    set_field(config, option, value, number);
    return RWD_OK;
}

/* A secret that cannot be read would be found out by the first reward. */
static bool is_secret(const char *secret)
{
    static const char prefix[] = "whsec_";
    if (strncmp(secret, prefix, sizeof prefix - 1) != 0) {
        return true;
    }
    struct rwd_buffer key = {0};
    bool good = rwd_base64_read(rwd_text_of(secret + sizeof prefix - 1), &key) && key.size > 0;
    rwd_buffer_finish(&key);
    return good;
}

static enum rwd_status read_endpoint(
    cfg_t *section, struct rwd_endpoint_config *endpoint, struct rwd_error *error)
{
    const char *name = cfg_title(section);
    const char *url = cfg_getstr(section, "url");
    const char *secret = cfg_getstr(section, "secret");
    const char *secret_next = cfg_getstr(section, "secret_next");
    const char *signature = cfg_getstr(section, "signature");
    if (url == NULL || secret == NULL || secret[0] == '\0') {
        return rwd_fail(error, RWD_INVALID, "endpoint \"%s\": url and secret are needed", name);
    }
    if (!is_secret(secret) || !is_secret(secret_next)) {
        return rwd_fail(error, RWD_INVALID,
            "endpoint \"%s\": what follows whsec_ in a secret must be base64", name);
    }
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return rwd_fail(
            error, RWD_INVALID, "endpoint \"%s\": url must begin with http:// or https://", name);
    }
    endpoint->signature = strcmp(signature, "standard") == 0 ? RWD_SIGNATURE_STANDARD
                          : strcmp(signature, "x") == 0      ? RWD_SIGNATURE_X
                                                             : RWD_SIGNATURE_BOTH;
    if (endpoint->signature == RWD_SIGNATURE_BOTH && strcmp(signature, "both") != 0) {
        return rwd_fail(error, RWD_INVALID,
            "endpoint \"%s\": signature is \"%s\", must be standard, x or both", name, signature);
    }
    unsigned kind_count = cfg_size(section, "kinds");
    for (unsigned i = 0; i < kind_count; i++) {
        enum rwd_reward_kind kind = RWD_REWARD_POINTS;
        const char *kind_name = cfg_getnstr(section, "kinds", i);
        if (rwd_reward_kind_parse(rwd_text_of(kind_name), &kind) != RWD_OK) {
            return rwd_fail(error, RWD_INVALID, "endpoint \"%s\": there is no reward kind \"%s\"",
                name, kind_name);
        }
        endpoint->kinds[kind] = true;
    }
    for (int i = 0; kind_count == 0 && i < RWD_REWARD_KIND_COUNT; i++) {
        endpoint->kinds[i] = true;
    }
    endpoint->name = rwd_copy(name, strlen(name));
    endpoint->url = rwd_copy(url, strlen(url));
    endpoint->secret = rwd_copy(secret, strlen(secret));
    endpoint->secret_next = rwd_copy(secret_next, strlen(secret_next));
    endpoint->allow_private = cfg_getbool(section, "allow_private") == cfg_true;
    endpoint->timeout_ms = cfg_getint(section, "timeout_ms");
    endpoint->connect_timeout_ms = cfg_getint(section, "connect_timeout_ms");
    endpoint->concurrency_max = cfg_getint(section, "concurrency");
    endpoint->breaker_failure_count = cfg_getint(section, "breaker_failures");
    endpoint->breaker_open_ms = cfg_getint(section, "breaker_open_ms");
    endpoint->response_size_max = cfg_getint(section, "response_size_max_kib") * 1024L;
    if (endpoint->timeout_ms < 1 || endpoint->connect_timeout_ms < 1 ||
        endpoint->concurrency_max < 1 || endpoint->breaker_failure_count < 1 ||
        endpoint->breaker_open_ms < 1 || endpoint->response_size_max < 1024) {
        return rwd_fail(error, RWD_INVALID,
            "endpoint \"%s\": timeouts, concurrency, breaker and response limits must be positive",
            name);
    }
    return RWD_OK;
}

static enum rwd_status read_price(
    cfg_t *section, struct rwd_price_config *price, struct rwd_error *error)
{
    const char *name = cfg_title(section);
    const char *cost = cfg_getstr(section, "cost");
    const char *currency = cfg_getstr(section, "currency");
    const char *colon = strchr(name, ':');
    struct rwd_text kind_name = {
        .data = name, .size = colon != NULL ? (size_t)(colon - name) : strlen(name)};
    if (rwd_reward_kind_parse(kind_name, &price->kind) != RWD_OK) {
        return rwd_fail(error, RWD_INVALID,
            "price \"%s\": begins with no reward kind; write \"freespins\" or \"loot:rare\"", name);
    }
    if (cost == NULL || currency == NULL ||
        rwd_currency_parse(rwd_text_of(currency), &price->cost.currency) != RWD_OK ||
        rwd_money_parse(rwd_text_of(cost), price->cost.currency, &price->cost.minor) != RWD_OK ||
        price->cost.minor < 0) {
        return rwd_fail(error, RWD_INVALID,
            "price \"%s\": cost must be a decimal string like \"0.10\" and currency an ISO 4217 "
            "code",
            name);
    }
    const char *label = colon != NULL ? colon + 1 : "";
    price->label = rwd_copy(label, strlen(label));
    return RWD_OK;
}

static enum rwd_status read_budget(
    cfg_t *section, struct rwd_pool_terms *terms, struct rwd_error *error)
{
    const char *name = cfg_title(section);
    const char *currency = cfg_getstr(section, "currency");
    const char *hard_cap = cfg_getstr(section, "hard_cap");
    const char *soft_cap = cfg_getstr(section, "soft_cap");
    if (strlen(name) >= sizeof terms->id || name[0] == '\0') {
        return rwd_fail(error, RWD_INVALID, "budget \"%s\": the name is empty or too long", name);
    }
    (void)snprintf(terms->id, sizeof terms->id, "%s", name);
    if (currency == NULL || hard_cap == NULL ||
        rwd_currency_parse(rwd_text_of(currency), &terms->currency) != RWD_OK ||
        rwd_money_parse(rwd_text_of(hard_cap), terms->currency, &terms->hard_cap_minor) != RWD_OK) {
        return rwd_fail(error, RWD_INVALID,
            "budget \"%s\": currency must be an ISO 4217 code and hard_cap a decimal string", name);
    }
    /* Spec 5: the soft cap defaults to 90 %. */
    terms->soft_cap_minor = terms->hard_cap_minor / 10 * 9 + terms->hard_cap_minor % 10 * 9 / 10;
    if (soft_cap[0] != '\0' &&
        rwd_money_parse(rwd_text_of(soft_cap), terms->currency, &terms->soft_cap_minor) != RWD_OK) {
        return rwd_fail(
            error, RWD_INVALID, "budget \"%s\": soft_cap must be a decimal string", name);
    }
    if (terms->soft_cap_minor < 0 || terms->soft_cap_minor > terms->hard_cap_minor) {
        return rwd_fail(
            error, RWD_INVALID, "budget \"%s\": caps must be 0 <= soft_cap <= hard_cap", name);
    }
    if (rwd_pool_period_parse(rwd_text_of(cfg_getstr(section, "period")), &terms->period) !=
        RWD_OK) {
        return rwd_fail(
            error, RWD_INVALID, "budget \"%s\": period must be day, week or season", name);
    }
    return RWD_OK;
}

static enum rwd_status read_repeated(struct rwd_config *config, cfg_t *cfg, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    config->endpoints = rwd_new((cfg_size(cfg, "endpoint") + 1) * sizeof config->endpoints[0]);
    for (unsigned i = 0; status == RWD_OK && i < cfg_size(cfg, "endpoint"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "endpoint", i);
        status = place(section,
            read_endpoint(section, &config->endpoints[config->endpoint_count++], error), error);
    }
    config->prices = rwd_new((cfg_size(cfg, "price") + 1) * sizeof config->prices[0]);
    for (unsigned i = 0; status == RWD_OK && i < cfg_size(cfg, "price"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "price", i);
        status = place(
            section, read_price(section, &config->prices[config->price_count++], error), error);
    }
    config->budgets = rwd_new((cfg_size(cfg, "budget") + 1) * sizeof config->budgets[0]);
    for (unsigned i = 0; status == RWD_OK && i < cfg_size(cfg, "budget"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "budget", i);
        status = place(
            section, read_budget(section, &config->budgets[config->budget_count++], error), error);
    }
    return status;
}

static enum rwd_status check_large_reward(const struct rwd_config *config, struct rwd_error *error)
{
    const struct rwd_currency any = {.code = "EUR"};
    int64_t minor = 0;
    if (rwd_money_listed(rwd_text_of(config->gates_large_reward), any, &minor) == RWD_INVALID) {
        return rwd_fail(error, RWD_INVALID,
            "gates.large_reward = \"%s\": must be an amount like \"50.00\", or amounts by ISO 4217 "
            "code like \"EUR:50.00,JPY:8000\"",
            config->gates_large_reward);
    }
    return RWD_OK;
}

static enum rwd_status check_deadlines(const struct rwd_config *config, struct rwd_error *error)
{
    if (config->sandbox_deadline_hard_ms < config->sandbox_deadline_ms) {
        return rwd_fail(error, RWD_INVALID,
            "sandbox.deadline_hard_ms = %lld: must be at least sandbox.deadline_ms, which is %lld",
            (long long)config->sandbox_deadline_hard_ms, (long long)config->sandbox_deadline_ms);
    }
    return RWD_OK;
}

static enum rwd_status parse(cfg_t *cfg, const char *path, struct rwd_error *error)
{
    struct rwd_buffer text = {0};
    enum rwd_status status = rwd_config_text_read(path, &text, error);
    if (status == RWD_OK) {
        status = rwd_config_text_check(path, rwd_buffer_text(&text), error);
    }
    if (status == RWD_OK) {
        status =
            cfg_parse_buf(cfg, rwd_buffer_c_string(&text)) == CFG_SUCCESS ? RWD_OK : RWD_INVALID;
    }
    rwd_buffer_finish(&text);
    return status;
}

static enum rwd_status read_file(
    struct rwd_config *config, cfg_t *cfg, const char *path, struct rwd_error *error)
{
    if (path != NULL) {
        enum rwd_status status = parse(cfg, path, error);
        if (status != RWD_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        cfg_t *section = cfg_getsec(cfg, option->section);
        if (option->type == OPTION_TEXT) {
            const char *text = cfg_getstr(section, option->name);
            set_field(config, option, text != NULL ? text : "", 0);
        } else {
            set_field(config, option, "",
                option->type == OPTION_INTEGER ? cfg_getint(section, option->name)
                                               : (long)cfg_getbool(section, option->name));
        }
    }
    enum rwd_status status =
        place(cfg_getsec(cfg, "gates"), check_large_reward(config, error), error);
    return status == RWD_OK ? read_repeated(config, cfg, error) : status;
}

enum rwd_status rwd_config_load(const char *path, const char *const *overrides,
    size_t override_count, struct rwd_config **config, struct rwd_error *error)
{
    struct grammar *grammar = rwd_new(sizeof *grammar);
    build_grammar(grammar);
    cfg_t *cfg = cfg_init(grammar->sections, CFGF_NONE);
    cfg_set_error_function(cfg, report);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char path_of_option[128];
        (void)snprintf(
            path_of_option, sizeof path_of_option, "%s|%s", options[i].section, options[i].name);
        (void)cfg_set_validate_func(cfg, path_of_option, check_bounds);
    }
    struct rwd_config *loaded = rwd_new(sizeof *loaded);
    parse_error = error;
    parse_path = path;
    enum rwd_status status = read_file(loaded, cfg, path, error);
    parse_error = NULL;
    parse_path = NULL;
    cfg_free(cfg);
    rwd_free(grammar);
    for (size_t i = 0; status == RWD_OK && i < override_count; i++) {
        status = apply_override(loaded, overrides[i], error);
    }
    if (status == RWD_OK) {
        status = check_large_reward(loaded, error);
    }
    if (status == RWD_OK) {
        status = check_deadlines(loaded, error);
    }
    if (status != RWD_OK) {
        rwd_config_destroy(loaded);
        return status;
    }
    *config = loaded;
    return RWD_OK;
}

void rwd_config_destroy(struct rwd_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].type == OPTION_TEXT) {
            rwd_free(*(char **)((char *)config + options[i].offset));
        }
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        rwd_free(config->endpoints[i].name);
        rwd_free(config->endpoints[i].url);
        rwd_free(config->endpoints[i].secret);
        rwd_free(config->endpoints[i].secret_next);
    }
    for (size_t i = 0; i < config->price_count; i++) {
        rwd_free(config->prices[i].label);
    }
    rwd_free(config->endpoints);
    rwd_free(config->prices);
    rwd_free(config->budgets);
    rwd_free(config);
}

void rwd_config_describe(struct rwd_buffer *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        rwd_buffer_put_format(out, "%s.%s = ", option->section, option->name);
        if (option->type == OPTION_TEXT) {
            rwd_buffer_put_format(out, "\"%s\"", option->text);
        } else if (option->type == OPTION_BOOLEAN) {
            rwd_buffer_put_string(out, option->number != 0 ? "true" : "false");
        } else {
            rwd_buffer_put_format(
                out, "%ld (%ld..%ld)", option->number, option->least, option->most);
        }
        rwd_buffer_put_format(out, "\n    %s\n", option->doc);
    }
    rwd_buffer_put_string(out,
        "endpoint \"name\" { url, secret, secret_next, signature = standard|x|both, kinds = "
        "{...},\n"
        "    allow_private, timeout_ms, connect_timeout_ms, concurrency, breaker_failures,\n"
        "    breaker_open_ms, response_size_max_kib }\n"
        "price \"kind\" or \"kind:label\" { cost = \"0.10\" currency = \"EUR\" }\n"
        "budget \"id\" { currency, period = day|week|season, hard_cap = \"1000.00\", soft_cap }\n");
}
