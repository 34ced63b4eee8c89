/*
 * rwd_rule_destroy: beside the code that fills a rule in, so that both know what it owns.
 */
#include "base/memory.h"
#include "domain/rule.h"

static void free_texts(struct rwd_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rwd_free((char *)texts[i].data);
    }
    rwd_free(texts);
}

void rwd_rule_destroy(struct rwd_rule *rule)
{
    if (rule == NULL) {
        return;
    }
    free_texts(rule->where.geos, rule->where.geo_count);
    free_texts(rule->where.platforms, rule->where.platform_count);
    free_texts(rule->where.segments, rule->where.segment_count);
    free_texts(rule->where.currencies, rule->where.currency_count);
    free_texts(rule->geo_allowed, rule->geo_allowed_count);
    for (size_t i = 0; i < rule->state_count; i++) {
        if (rule->states[i].initial.type == RWD_SCALAR_TEXT) {
            rwd_free((char *)rule->states[i].initial.text.data);
        }
    }
    for (size_t i = 0; i < rule->formula_count; i++) {
        rwd_free(rule->formulas[i].source);
    }
    rwd_free(rule->formulas);
    rwd_free(rule->declares);
    rwd_free(rule->title);
    rwd_free(rule->owner);
    rwd_free(rule->source);
    rwd_free(rule->source_name);
    rwd_free(rule);
}
