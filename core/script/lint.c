#include "script/lint.h"

#include "script/vm.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_COUNT_MAX = 256,
    BOUND_COUNT_MAX = 128,
    SCOPE_COUNT_MAX = 64,
    CHAIN_SIZE_MAX = 4 * RWD_RULE_PATH_SIZE_MAX,
    STRING_BIT = 1 << RWD_JSON_STRING,
    NUMBER_BIT = 1 << RWD_JSON_NUMBER,
    NULL_BIT = 1 << RWD_JSON_NULL,
};

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    struct rwd_text text; /* of a string: what is between its quotes */
    size_t offset;
};

enum thing { THING_OTHER, THING_EVENT, THING_PLAYER };

/* What a name stands for in its scope: "payload" of the event, after local p = event.payload. */
struct bound {
    struct rwd_text name;
    enum thing thing;
    char path[CHAIN_SIZE_MAX];
};

/* Names on their way into a scope: a local's behind its expression, a loop's at its do. */
struct waiting {
    struct bound bounds[4];
    size_t count;
    size_t from; /* offset */
};

struct lint {
    const struct rwd_rule *rule;
    struct rwd_text source;
    const struct rwd_schema_registry *schemas;
    bool unknown_allowed;
    size_t at;
    struct bound bounds[BOUND_COUNT_MAX]; /* the innermost last */
    size_t bound_count;
    size_t scopes[SCOPE_COUNT_MAX]; /* how many were bound when it began */
    size_t scope_count;
    struct waiting local;
    struct waiting loop;
    bool lost; /* too deep, or too many names: nothing more is said of uses */
    struct rwd_lint_finding *findings;
    size_t count;
};

/* ---- tokens ---- */

static char peek(const struct lint *lint, size_t ahead)
{
    return lint->at + ahead < lint->source.size ? lint->source.data[lint->at + ahead] : '\0';
}

/* "[[", "[=[": how many '='; below 0: no long bracket. */
static int long_bracket(const struct lint *lint)
{
    size_t level = 0;
    while (peek(lint, 1 + level) == '=') {
        level++;
    }
    return peek(lint, 0) == '[' && peek(lint, 1 + level) == '[' ? (int)level : -1;
}

/* Past the bracket that closes the long one at hand; what was inside. */
static struct rwd_text skip_long(struct lint *lint, int level)
{
    lint->at += (size_t)level + 2;
    size_t begin = lint->at;
    for (; lint->at < lint->source.size; lint->at++) {
        size_t closing = 0;
        while (peek(lint, 1 + closing) == '=') {
            closing++;
        }
        if (peek(lint, 0) == ']' && closing == (size_t)level && peek(lint, 1 + closing) == ']') {
            struct rwd_text inside = {.data = lint->source.data + begin, .size = lint->at - begin};
            lint->at += (size_t)level + 2;
            return inside;
        }
    }
    return (struct rwd_text){0};
}

static void skip_blanks(struct lint *lint)
{
    for (;;) {
        if (isspace((unsigned char)peek(lint, 0))) {
            lint->at++;
        } else if (peek(lint, 0) == '-' && peek(lint, 1) == '-') {
            lint->at += 2;
            int level = long_bracket(lint);
            if (level >= 0) {
                (void)skip_long(lint, level);
            } else {
                while (lint->at < lint->source.size && peek(lint, 0) != '\n') {
                    lint->at++;
                }
            }
        } else {
            return;
        }
    }
}

static struct rwd_text slice(const struct lint *lint, size_t begin)
{
    return (struct rwd_text){.data = lint->source.data + begin, .size = lint->at - begin};
}

static struct rwd_text skip_quoted(struct lint *lint)
{
    char quote = peek(lint, 0);
    size_t begin = ++lint->at;
    while (lint->at < lint->source.size && peek(lint, 0) != quote) {
        lint->at += peek(lint, 0) == '\\' ? 2 : 1;
    }
    struct rwd_text inside = slice(lint, begin);
    lint->at++;
    return inside;
}

static struct token next_token(struct lint *lint)
{
    skip_blanks(lint);
    struct token token = {.offset = lint->at};
    char c = peek(lint, 0);
    if (lint->at >= lint->source.size) {
        return token;
    }
    if (isalpha((unsigned char)c) || c == '_') {
        while (isalnum((unsigned char)peek(lint, 0)) || peek(lint, 0) == '_') {
            lint->at++;
        }
        token.kind = TOKEN_NAME;
        token.text = slice(lint, token.offset);
    } else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(lint, 1)))) {
        while (isalnum((unsigned char)peek(lint, 0)) || peek(lint, 0) == '.') {
            lint->at++;
        }
        token.kind = TOKEN_NUMBER;
        token.text = slice(lint, token.offset);
    } else if (c == '"' || c == '\'') {
        token.kind = TOKEN_TEXT;
        token.text = skip_quoted(lint);
    } else if (long_bracket(lint) >= 0) {
        token.kind = TOKEN_TEXT;
        token.text = skip_long(lint, long_bracket(lint));
    } else {
        bool doubled = (peek(lint, 1) == '=' && strchr("=~<>", c) != NULL) ||
                       (c == '.' && peek(lint, 1) == '.');
        lint->at += doubled ? 2 : 1;
        token.kind = TOKEN_SIGN;
        token.text = slice(lint, token.offset);
    }
    return token;
}

static struct token peek_token(struct lint *lint)
{
    size_t at = lint->at;
    struct token token = next_token(lint);
    lint->at = at;
    return token;
}

static bool is_sign(const struct token *token, const char *sign)
{
    return token->kind == TOKEN_SIGN && rwd_text_is(token->text, sign);
}

static bool is_comparison(const struct token *token)
{
    return is_sign(token, "==") || is_sign(token, "~=") || is_sign(token, "<") ||
           is_sign(token, ">") || is_sign(token, "<=") || is_sign(token, ">=");
}

static bool is_arithmetic(const struct token *token)
{
    return is_sign(token, "+") || is_sign(token, "-") || is_sign(token, "*") ||
           is_sign(token, "/") || is_sign(token, "%") || is_sign(token, "^");
}

/* ---- findings ---- */

static void find(struct lint *lint, size_t offset, const char *format, ...) RWD_PRINTF(3, 4);
static void find(struct lint *lint, size_t offset, const char *format, ...)
{
    if (lint->count == RWD_LINT_COUNT_MAX) {
        return;
    }
    struct rwd_lint_finding *finding = &lint->findings[lint->count++];
    finding->line = 1;
    finding->column = 1;
    for (size_t i = 0; i < offset; i++) {
        bool ends = lint->source.data[i] == '\n';
        finding->line += ends;
        finding->column = ends ? 1 : finding->column + 1;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
}

/* "; did you mean 'bet'?", or nothing. */
static void put_hint(
    char *out, size_t size, struct rwd_text wrong, const struct rwd_text *names, size_t count)
{
    char copies[NAME_COUNT_MAX][RWD_RULE_PATH_SIZE_MAX];
    const char *list[NAME_COUNT_MAX + 1];
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < NAME_COUNT_MAX; i++) {
        if (names[i].size < sizeof copies[0]) {
            (void)snprintf(copies[kept], sizeof copies[0], "%.*s", RWD_TEXT_ARGS(names[i]));
            list[kept] = copies[kept];
            kept++;
        }
    }
    list[kept] = NULL;
    const char *near = rwd_vm_nearest(wrong, list);
    (void)snprintf(
        out, size, near != NULL ? "; did you mean '%s'?" : "%s", near != NULL ? near : "");
}

static struct rwd_text on_at(const struct lint *lint, size_t i)
{
    return rwd_text_of(lint->rule->on[i]);
}

/* The field over all events the rule takes. */
static struct rwd_schema_field field_of(const struct lint *lint, struct rwd_text path)
{
    struct rwd_schema_field whole = {.closed = true};
    for (size_t i = 0; i < lint->rule->on_count; i++) {
        struct rwd_schema_field field = rwd_schema_field(lint->schemas, on_at(lint, i), path);
        whole.event_known |= field.event_known;
        whole.declared |= field.declared;
        whole.types |= field.types;
        whole.closed &= field.event_known && field.closed;
    }
    return whole;
}

/* False: no such field, which was told. */
static bool check_field(struct lint *lint, struct rwd_text path, size_t offset)
{
    struct rwd_schema_field field = field_of(lint, path);
    if (field.declared || !field.closed) {
        return field.declared;
    }
    /* The first step that is not declared is the wrong one. */
    struct rwd_text parent = {0};
    struct rwd_text wrong = path;
    for (size_t end = 0; end <= path.size; end++) {
        if (end == path.size || path.data[end] == '.') {
            struct rwd_text part = {.data = path.data, .size = end};
            if (!field_of(lint, part).declared) {
                size_t begin = parent.size > 0 ? parent.size + 1 : 0;
                wrong = (struct rwd_text){.data = path.data + begin, .size = end - begin};
                break;
            }
            parent = part;
        }
    }
    struct rwd_text names[NAME_COUNT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < lint->rule->on_count; i++) {
        count += rwd_schema_members(
            lint->schemas, on_at(lint, i), parent, names + count, NAME_COUNT_MAX - count);
    }
    char hint[RWD_RULE_PATH_SIZE_MAX + 32];
    put_hint(hint, sizeof hint, wrong, names, count);
    find(lint, offset, "no schema of %s%s declares %.*s%s", lint->rule->on[0],
        lint->rule->on_count > 1 ? " and the other events in on" : "", RWD_TEXT_ARGS(path), hint);
    return false;
}

/* ---- uses ---- */

/* A chain of names, behind those it has already: "payload.bet". *last: where its last name begins.
 */
static struct rwd_text read_chain(
    struct lint *lint, const char *known, char out[CHAIN_SIZE_MAX], size_t *last)
{
    size_t used = (size_t)snprintf(out, CHAIN_SIZE_MAX, "%s", known);
    for (;;) {
        size_t at = lint->at;
        struct token dot = next_token(lint);
        struct token name = is_sign(&dot, ".") ? next_token(lint) : dot;
        if (!is_sign(&dot, ".") || name.kind != TOKEN_NAME ||
            used + name.text.size + 2 > CHAIN_SIZE_MAX) {
            lint->at = at;
            return (struct rwd_text){.data = out, .size = used};
        }
        if (used > 0) {
            out[used++] = '.';
        }
        memcpy(out + used, name.text.data, name.text.size);
        used += name.text.size;
        *last = name.offset;
    }
}

static bool begins(struct rwd_text path, const char *with)
{
    size_t size = strlen(with);
    return path.size >= size && memcmp(path.data, with, size) == 0 &&
           (path.size == size || path.data[size] == '.');
}

/* A literal and the field, on either side of a sign. */
static void check_types(
    struct lint *lint, struct rwd_text path, size_t offset, const struct token *before)
{
    struct rwd_schema_field field = field_of(lint, path);
    uint8_t types = field.types & (uint8_t)~NULL_BIT;
    size_t at = lint->at;
    struct token sign = next_token(lint);
    struct token other = next_token(lint);
    lint->at = at;
    bool behind = is_comparison(&sign) || is_arithmetic(&sign);
    if (!behind) {
        sign = before[0];
        other = before[1];
    }
    bool compares = is_comparison(&sign);
    bool calculates = is_arithmetic(&sign) || is_arithmetic(&before[0]);
    if (calculates && types == STRING_BIT) {
        find(lint, offset, "%.*s is text in the schema of %s: it cannot be calculated with",
            RWD_TEXT_ARGS(path), lint->rule->on[0]);
    } else if (compares && types == STRING_BIT && other.kind == TOKEN_NUMBER) {
        find(lint, offset,
            "%.*s is text in the schema of %s: compared with the number %.*s it "
            "never holds",
            RWD_TEXT_ARGS(path), lint->rule->on[0], RWD_TEXT_ARGS(other.text));
    } else if (compares && types == NUMBER_BIT && other.kind == TOKEN_TEXT) {
        find(lint, offset,
            "%.*s is a number in the schema of %s: compared with the text \"%.*s\" "
            "it never holds",
            RWD_TEXT_ARGS(path), lint->rule->on[0], RWD_TEXT_ARGS(other.text));
    }
}

static void check_event_use(struct lint *lint, const struct bound *bound, const struct token *token,
    const struct token *before)
{
    char path[CHAIN_SIZE_MAX];
    size_t last = token->offset;
    struct rwd_text chain = read_chain(lint, bound->path, path, &last);
    struct token next = peek_token(lint);
    if (!begins(chain, "payload") && !begins(chain, "user") && !begins(chain, "context")) {
        return; /* the event's own fields: event.day_no */
    }
    if (check_field(lint, chain, last) && !is_sign(&next, ":")) {
        check_types(lint, chain, last, before);
    }
}

static void check_aggregate_use(
    struct lint *lint, const struct bound *bound, const struct token *token)
{
    char path[CHAIN_SIZE_MAX];
    size_t last = token->offset;
    struct rwd_text chain = read_chain(lint, bound->path, path, &last);
    if (!begins(chain, "agg") || chain.size <= 4) {
        return;
    }
    struct rwd_text names[RWD_RULE_AGGREGATE_COUNT_MAX];
    struct rwd_text wanted = {.data = chain.data + 4, .size = chain.size - 4};
    for (size_t i = 0; i < lint->rule->aggregate_count; i++) {
        names[i] = rwd_text_of(lint->rule->aggregates[i].name);
        if (rwd_text_equal(names[i], wanted)) {
            return;
        }
    }
    char hint[RWD_RULE_PATH_SIZE_MAX + 32];
    put_hint(hint, sizeof hint, wanted, names, lint->rule->aggregate_count);
    find(lint, last, "aggregates does not declare %.*s%s", RWD_TEXT_ARGS(wanted), hint);
}

/* sum("payload.bet", "1d") */
static void check_declaration(struct lint *lint, struct rwd_text operation)
{
    size_t at = lint->at;
    struct token open = next_token(lint);
    struct token path = next_token(lint);
    lint->at = at;
    if (!is_sign(&open, "(") || path.kind != TOKEN_TEXT ||
        !check_field(lint, path.text, path.offset)) {
        return;
    }
    /* Money comes as text, too, and then its schema says number or text. */
    uint8_t types = field_of(lint, path.text).types;
    if ((types & NUMBER_BIT) == 0 && !rwd_text_is(operation, "last")) {
        find(lint, path.offset, "%.*s is %s in the schema of %s: %.*s counts numbers",
            RWD_TEXT_ARGS(path.text), (types & STRING_BIT) != 0 ? "text" : "no number",
            lint->rule->on[0], RWD_TEXT_ARGS(operation));
    }
}

/* ---- names and scopes ---- */

static void bind(struct lint *lint, const struct bound *bound)
{
    lint->lost |= lint->bound_count == BOUND_COUNT_MAX;
    if (!lint->lost) {
        lint->bounds[lint->bound_count++] = *bound;
    }
}

static void bind_waiting(struct lint *lint, struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->count; i++) {
        bind(lint, &waiting->bounds[i]);
    }
    waiting->count = 0;
}

static void open_scope(struct lint *lint)
{
    lint->lost |= lint->scope_count == SCOPE_COUNT_MAX;
    if (!lint->lost) {
        lint->scopes[lint->scope_count++] = lint->bound_count;
    }
}

static void close_scope(struct lint *lint)
{
    if (lint->scope_count > 0) {
        lint->bound_count = lint->scopes[--lint->scope_count];
    }
}

/* Names that nothing in the file binds are what they say. */
static struct bound look_up(const struct lint *lint, struct rwd_text name)
{
    for (size_t i = lint->bound_count; i > 0; i--) {
        if (rwd_text_equal(lint->bounds[i - 1].name, name)) {
            return lint->bounds[i - 1];
        }
    }
    return (struct bound){.name = name,
        .thing = rwd_text_is(name, "event")    ? THING_EVENT
                 : rwd_text_is(name, "player") ? THING_PLAYER
                                               : THING_OTHER};
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_NAME && rwd_text_is(token->text, word);
}

/* Another value for the name somewhere behind: "p = other", "p, q = a, b". A loop may bring it back
 * to the front, so from the start it stands for nothing. */
static bool is_assigned_behind(struct lint *lint, struct rwd_text name)
{
    size_t at = lint->at;
    bool assigned = false;
    struct token before = {0};
    for (struct token token = next_token(lint); token.kind != TOKEN_END && !assigned;
         token = next_token(lint)) {
        bool is_own = token.kind == TOKEN_NAME && rwd_text_equal(token.text, name) &&
                      !is_sign(&before, ".") && !is_sign(&before, ":") &&
                      !is_word(&before, "local");
        size_t behind = lint->at;
        struct token next = next_token(lint);
        while (is_own && is_sign(&next, ",")) {
            (void)next_token(lint);
            next = next_token(lint);
        }
        assigned = is_own && is_sign(&next, "=");
        lint->at = behind;
        before = token;
    }
    lint->at = at;
    return assigned;
}

/* Nothing more belongs to an expression that ends before this token. */
static bool ends_expression(const struct token *token)
{
    return token->kind == TOKEN_END || is_sign(token, ";") || is_sign(token, ",") ||
           (token->kind == TOKEN_NAME && !is_word(token, "and") && !is_word(token, "or"));
}

/* What an expression at hand stands for: event.payload and the like, and nothing else around it. */
static bool read_alias(struct lint *lint, struct bound *alias)
{
    char path[CHAIN_SIZE_MAX];
    size_t last = 0;
    struct token token = next_token(lint);
    struct bound of = token.kind == TOKEN_NAME ? look_up(lint, token.text) : (struct bound){0};
    if (of.thing == THING_OTHER) {
        return false;
    }
    struct rwd_text chain = read_chain(lint, of.path, path, &last);
    struct token next = peek_token(lint);
    if (!ends_expression(&next) || is_assigned_behind(lint, alias->name)) {
        return false;
    }
    if (of.thing == THING_EVENT) {
        struct rwd_schema_field field = field_of(lint, chain);
        if (!field.declared && field.closed) {
            return false; /* told where it stands; not again at every use */
        }
    }
    alias->thing = of.thing;
    memcpy(alias->path, path, chain.size);
    alias->path[chain.size] = '\0';
    return true;
}

/* Names with commas between them, all of them something else as yet. */
static void read_names(struct lint *lint, struct waiting *waiting)
{
    waiting->count = 0;
    for (;;) {
        struct token name = next_token(lint);
        if (waiting->count == sizeof waiting->bounds / sizeof waiting->bounds[0]) {
            lint->lost = true;
            waiting->count--;
        }
        waiting->bounds[waiting->count++] = (struct bound){.name = name.text};
        struct token comma = peek_token(lint);
        if (!is_sign(&comma, ",")) {
            return;
        }
        (void)next_token(lint);
    }
}

/* local p = event.payload */
static void note_local(struct lint *lint)
{
    size_t at = lint->at;
    struct token first = peek_token(lint);
    if (is_word(&first, "function")) {
        return; /* its name is nothing we know, and its parameters follow */
    }
    read_names(lint, &lint->local);
    struct token sign = next_token(lint);
    bool all = is_sign(&sign, "=");
    for (size_t i = 0; i < lint->local.count && all; i++) {
        all = read_alias(lint, &lint->local.bounds[i]);
        struct token next = peek_token(lint);
        if (all && i + 1 < lint->local.count) {
            all = is_sign(&next, ",");
            (void)next_token(lint);
        }
    }
    for (size_t i = 0; i < lint->local.count && !all; i++) {
        lint->local.bounds[i].thing = THING_OTHER;
    }
    /* Its own expression reads the names of before; where that ends only an alias tells. */
    lint->local.from = all ? lint->at : at;
    lint->at = at;
}

/* when = function(e, p): the event and the player, by their places; elsewhere by their names. */
static void note_parameters(struct lint *lint, const struct token *before)
{
    static const char *const functions[] = {"when", "score", "grant"};
    bool by_place = false;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        by_place |= is_sign(&before[0], "=") && is_word(&before[1], functions[i]);
    }
    size_t at = lint->at;
    struct token token = next_token(lint);
    while (token.kind == TOKEN_NAME || is_sign(&token, ".") || is_sign(&token, ":")) {
        token = next_token(lint);
    }
    for (size_t place = 0; token.kind != TOKEN_END && !is_sign(&token, ")"); place++) {
        token = next_token(lint);
        if (token.kind == TOKEN_NAME) {
            struct bound bound = {.name = token.text};
            bool is_event = by_place ? place == 0 : rwd_text_is(token.text, "event");
            bool is_player = by_place ? place == 1 : rwd_text_is(token.text, "player");
            if ((is_event || is_player) && !is_assigned_behind(lint, token.text)) {
                bound.thing = is_event ? THING_EVENT : THING_PLAYER;
            }
            bind(lint, &bound);
            token = next_token(lint);
        }
    }
    lint->at = at;
}

static void note_scope(struct lint *lint, const struct token *token, const struct token *before)
{
    if (is_word(token, "local")) {
        note_local(lint);
    } else if (is_word(token, "for")) {
        size_t at = lint->at;
        read_names(lint, &lint->loop);
        lint->at = at;
    } else if (is_word(token, "function")) {
        open_scope(lint);
        note_parameters(lint, before);
    } else if (is_word(token, "do")) {
        open_scope(lint);
        bind_waiting(lint, &lint->loop);
    } else if (is_word(token, "then") || is_word(token, "repeat")) {
        open_scope(lint);
    } else if (is_word(token, "end") || is_word(token, "until") || is_word(token, "elseif")) {
        close_scope(lint);
    } else if (is_word(token, "else")) {
        close_scope(lint);
        open_scope(lint);
    }
}

static void check_events(struct lint *lint)
{
    for (size_t i = 0; i < lint->rule->on_count; i++) {
        if (rwd_schema_field(lint->schemas, on_at(lint, i), RWD_TEXT("")).event_known ||
            lint->unknown_allowed) {
            continue;
        }
        struct rwd_text names[NAME_COUNT_MAX] = {{0}};
        size_t count = 0;
        const char *name = NULL;
        while (
            count < NAME_COUNT_MAX && (name = rwd_schema_event_at(lint->schemas, count)) != NULL) {
            names[count++] = rwd_text_of(name);
        }
        char hint[RWD_RULE_PATH_SIZE_MAX + 32];
        put_hint(hint, sizeof hint, on_at(lint, i), names, count);
        /* Where it stands: the first such text. */
        lint->at = 0;
        struct token token = next_token(lint);
        while (token.kind != TOKEN_END &&
               !(token.kind == TOKEN_TEXT && rwd_text_equal(token.text, on_at(lint, i)))) {
            token = next_token(lint);
        }
        find(lint, token.offset, "there is no schema of an event %s%s", lint->rule->on[i], hint);
    }
    lint->at = 0;
}

static bool is_operation(struct rwd_text name)
{
    return rwd_text_is(name, "sum") || rwd_text_is(name, "min") || rwd_text_is(name, "max") ||
           rwd_text_is(name, "last");
}

static void check_name(struct lint *lint, const struct token *token, const struct token *before)
{
    const struct bound bound = look_up(lint, token->text);
    if (bound.thing == THING_EVENT) {
        check_event_use(lint, &bound, token, before);
    } else if (bound.thing == THING_PLAYER) {
        check_aggregate_use(lint, &bound, token);
    } else if (is_operation(token->text)) {
        check_declaration(lint, token->text);
    }
}

size_t rwd_lint_rule(const struct rwd_rule *rule, const struct rwd_schema_registry *schemas,
    bool unknown_allowed, struct rwd_lint_finding *findings)
{
    struct lint lint = {.rule = rule,
        .source = {.data = rule->source, .size = rule->source_size},
        .schemas = schemas,
        .unknown_allowed = unknown_allowed,
        .findings = findings};
    if (rule->on_count == 0) {
        return 0; /* what `event` is to a formula is for its rules to say */
    }
    check_events(&lint);
    struct token before[2] = {{0}, {0}};
    for (struct token token = next_token(&lint); token.kind != TOKEN_END && !lint.lost;
         token = next_token(&lint)) {
        if (lint.local.count > 0 && token.offset >= lint.local.from) {
            bind_waiting(&lint, &lint.local);
        }
        if (token.kind == TOKEN_NAME && !is_sign(&before[0], ".") && !is_sign(&before[0], ":")) {
            check_name(&lint, &token, before);
            note_scope(&lint, &token, before);
        }
        before[1] = before[0];
        before[0] = token;
    }
    return lint.count;
}

int rwd_lint_column(struct rwd_text source, int line)
{
    size_t at = 0;
    for (int i = 1; i < line && at < source.size; at++) {
        i += source.data[at] == '\n';
    }
    size_t begin = at;
    while (at < source.size && (source.data[at] == ' ' || source.data[at] == '\t')) {
        at++;
    }
    return (int)(at - begin) + 1;
}
