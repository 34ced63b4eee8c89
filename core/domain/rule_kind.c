#include "domain/rule_kind.h"

#include <string.h>

static const struct {
    const char *name;
    const char *prefix;
} kinds[RWD_KIND_COUNT] = {
    [RWD_KIND_FORMULA] = {"formula", RWD_FORMULA_ID_PREFIX},
    [RWD_KIND_EXPERIMENT] = {"experiment", RWD_EXPERIMENT_ID_PREFIX},
    [RWD_KIND_RULE] = {"rule", ""},
};

enum rwd_rule_kind rwd_rule_kind_of(struct rwd_text rule_id)
{
    for (int kind = 0; kind < RWD_KIND_RULE; kind++) {
        size_t size = strlen(kinds[kind].prefix);
        if (rule_id.size > size && memcmp(rule_id.data, kinds[kind].prefix, size) == 0) {
            return (enum rwd_rule_kind)kind;
        }
    }
    return RWD_KIND_RULE;
}

const char *rwd_rule_kind_name(enum rwd_rule_kind kind)
{
    return kinds[kind].name;
}

const char *rwd_rule_kind_prefix(enum rwd_rule_kind kind)
{
    return kinds[kind].prefix;
}

struct rwd_text rwd_rule_bare_id(const char *rule_id)
{
    struct rwd_text id = rwd_text_of(rule_id);
    size_t size = strlen(kinds[rwd_rule_kind_of(id)].prefix);
    return (struct rwd_text){.data = id.data + size, .size = id.size - size};
}
