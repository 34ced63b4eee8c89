#include "script/rulebook.h"

#include "base/check.h"
#include "base/memory.h"
#include "domain/experiment.h"
#include "domain/rollout.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct rwd_shared_rule {
    _Atomic uint32_t references;
    struct rwd_rule *rule;
};

/* One event name; entries point into the book's one vector. */
struct slot {
    const char *name; /* NULL: free; borrowed from the first rule that has it */
    struct rwd_rulebook_entry *entries;
    size_t count;
};

struct rwd_rulebook {
    _Atomic uint32_t references;
    uint32_t rulebook_no;
    struct rwd_rulebook_seat *seats;
    size_t count;
    struct rwd_rulebook_entry *shadows;
    size_t shadow_count;
    struct slot *slots; /* open addressing, a power of two, at most half full */
    size_t slot_mask;
    struct rwd_rulebook_entry *entries;
    const struct rwd_rule **experiments; /* those of rules that declare one */
    size_t experiment_count;
};

static void acquire(_Atomic uint32_t *references)
{
    uint32_t before = atomic_fetch_add_explicit(references, 1, memory_order_relaxed);
    RWD_REQUIRE(before > 0 && before < UINT32_MAX);
}

/* True: that was the last one. */
static bool release(_Atomic uint32_t *references)
{
    uint32_t before = atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel);
    RWD_REQUIRE(before > 0);
    return before == 1;
}

struct rwd_shared_rule *rwd_shared_rule_create(struct rwd_rule **rule)
{
    struct rwd_shared_rule *shared = rwd_new(sizeof *shared);
    atomic_init(&shared->references, 1);
    shared->rule = *rule;
    *rule = NULL;
    return shared;
}

struct rwd_shared_rule *rwd_shared_rule_acquire(struct rwd_shared_rule *shared)
{
    acquire(&shared->references);
    return shared;
}

void rwd_shared_rule_release(struct rwd_shared_rule *shared)
{
    if (shared != NULL && release(&shared->references)) {
        rwd_rule_destroy(shared->rule);
        rwd_free(shared);
    }
}

const struct rwd_rule *rwd_shared_rule_get(const struct rwd_shared_rule *shared)
{
    return shared->rule;
}

static int compare_seats(const void *left, const void *right)
{
    const struct rwd_rule *a = ((const struct rwd_rulebook_seat *)left)->rule->rule;
    const struct rwd_rule *b = ((const struct rwd_rulebook_seat *)right)->rule->rule;
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    int order = strcmp(a->id, b->id);
    return order != 0 ? order : strcmp(a->version, b->version);
}

/* FNV-1a: the names in the table are rules', so nobody outside can fill one bucket. */
static uint32_t hash_of(struct rwd_text name)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619U;
    }
    return hash;
}

static struct slot *slot_of(const struct rwd_rulebook *rulebook, struct rwd_text name)
{
    size_t i = hash_of(name) & rulebook->slot_mask;
    while (rulebook->slots[i].name != NULL && !rwd_text_is(name, rulebook->slots[i].name)) {
        i = (i + 1) & rulebook->slot_mask;
    }
    return &rulebook->slots[i];
}

/* A canary's players are those of the first places, the active version's all others. */
static struct rwd_rulebook_entry entry_of(const struct rwd_rulebook *rulebook, size_t index)
{
    const struct rwd_rulebook_seat *seat = &rulebook->seats[index];
    struct rwd_rulebook_entry entry = {
        .rule = seat->rule->rule, .index = (uint32_t)index, .to = RWD_ROLLOUT_PLACE_COUNT};
    for (size_t i = 0; i < rulebook->count && seat->role != RWD_RULEBOOK_SHADOW; i++) {
        const struct rwd_rulebook_seat *other = &rulebook->seats[i];
        if (other->role != RWD_RULEBOOK_CANARY ||
            strcmp(other->rule->rule->id, entry.rule->id) != 0) {
            continue;
        }
        uint32_t edge = other->share * (RWD_ROLLOUT_PLACE_COUNT / 100);
        entry.rollout = other->rule->rule;
        entry.from = i == index ? 0 : edge;
        entry.to = i == index ? edge : (uint32_t)RWD_ROLLOUT_PLACE_COUNT;
    }
    return entry;
}

static void index_shadows(struct rwd_rulebook *rulebook)
{
    rulebook->shadows = rwd_new((rulebook->count + 1) * sizeof rulebook->shadows[0]);
    for (size_t i = 0; i < rulebook->count; i++) {
        if (rulebook->seats[i].role == RWD_RULEBOOK_SHADOW) {
            rulebook->shadows[rulebook->shadow_count++] = entry_of(rulebook, i);
        }
    }
}

static void index_names(struct rwd_rulebook *rulebook)
{
    size_t total = 0;
    for (size_t i = 0; i < rulebook->count; i++) {
        total += rulebook->seats[i].rule->rule->on_count;
    }
    size_t slot_count = 4;
    while (slot_count < 2 * total) {
        slot_count *= 2;
    }
    rulebook->slots = rwd_new(slot_count * sizeof rulebook->slots[0]);
    rulebook->slot_mask = slot_count - 1;
    rulebook->entries = rwd_new(total * sizeof rulebook->entries[0]);
    /* Count each name, give each its stretch, fill them in the book's order. */
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rwd_rule *rule = rulebook->seats[i].rule->rule;
        bool asked = rulebook->seats[i].role != RWD_RULEBOOK_SHADOW;
        for (size_t n = 0; n < rule->on_count && asked; n++) {
            struct slot *slot = slot_of(rulebook, rwd_text_of(rule->on[n]));
            slot->name = rule->on[n];
            slot->count++;
        }
    }
    struct rwd_rulebook_entry *next = rulebook->entries;
    for (size_t s = 0; s < slot_count; s++) {
        rulebook->slots[s].entries = next;
        next += rulebook->slots[s].count;
        rulebook->slots[s].count = 0;
    }
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rwd_rule *rule = rulebook->seats[i].rule->rule;
        if (rulebook->seats[i].role == RWD_RULEBOOK_SHADOW) {
            continue;
        }
        struct rwd_rulebook_entry entry = entry_of(rulebook, i);
        for (size_t n = 0; n < rule->on_count; n++) {
            struct slot *slot = slot_of(rulebook, rwd_text_of(rule->on[n]));
            slot->entries[slot->count++] = entry;
        }
    }
}

struct rwd_rulebook *rwd_rulebook_create_seated(
    uint32_t rulebook_no, const struct rwd_rulebook_seat *seats, size_t count)
{
    struct rwd_rulebook *rulebook = rwd_new(sizeof *rulebook);
    atomic_init(&rulebook->references, 1);
    rulebook->rulebook_no = rulebook_no;
    rulebook->count = count;
    rulebook->seats = rwd_new((count + 1) * sizeof rulebook->seats[0]);
    for (size_t i = 0; i < count; i++) {
        RWD_REQUIRE(
            seats[i].role != RWD_RULEBOOK_CANARY || (seats[i].share >= 1 && seats[i].share < 100));
        rulebook->seats[i] = seats[i];
        (void)rwd_shared_rule_acquire(seats[i].rule);
    }
    qsort(rulebook->seats, count, sizeof rulebook->seats[0], compare_seats);
    index_names(rulebook);
    rulebook->experiments = rwd_new(count * sizeof(struct rwd_rule *));
    for (size_t i = 0; i < count; i++) {
        const struct rwd_rule *rule = seats[i].rule->rule;
        if (rule->declares != NULL && seats[i].role == RWD_RULEBOOK_ACTIVE) {
            rulebook->experiments[rulebook->experiment_count++] = rule;
        }
    }
    index_shadows(rulebook);
    return rulebook;
}

struct rwd_rulebook *rwd_rulebook_create(
    uint32_t rulebook_no, struct rwd_shared_rule *const *rules, size_t count)
{
    struct rwd_rulebook_seat *seats = rwd_new((count + 1) * sizeof seats[0]);
    for (size_t i = 0; i < count; i++) {
        seats[i].rule = rules[i];
    }
    struct rwd_rulebook *rulebook = rwd_rulebook_create_seated(rulebook_no, seats, count);
    rwd_free(seats);
    return rulebook;
}

struct rwd_rulebook *rwd_rulebook_acquire(struct rwd_rulebook *rulebook)
{
    acquire(&rulebook->references);
    return rulebook;
}

void rwd_rulebook_release(struct rwd_rulebook *rulebook)
{
    if (rulebook == NULL || !release(&rulebook->references)) {
        return;
    }
    for (size_t i = 0; i < rulebook->count; i++) {
        rwd_shared_rule_release(rulebook->seats[i].rule);
    }
    rwd_free(rulebook->seats);
    rwd_free(rulebook->shadows);
    rwd_free(rulebook->slots);
    rwd_free(rulebook->entries);
    rwd_free(rulebook->experiments);
    rwd_free(rulebook);
}

uint32_t rwd_rulebook_no(const struct rwd_rulebook *rulebook)
{
    return rulebook->rulebook_no;
}

size_t rwd_rulebook_count(const struct rwd_rulebook *rulebook)
{
    return rulebook->count;
}

const struct rwd_rule *rwd_rulebook_at(const struct rwd_rulebook *rulebook, size_t index)
{
    RWD_REQUIRE(index < rulebook->count);
    return rulebook->seats[index].rule->rule;
}

struct rwd_shared_rule *rwd_rulebook_shared_at(const struct rwd_rulebook *rulebook, size_t index)
{
    RWD_REQUIRE(index < rulebook->count);
    return rulebook->seats[index].rule;
}

const struct rwd_rulebook_entry *rwd_rulebook_for(
    const struct rwd_rulebook *rulebook, struct rwd_text event_name, size_t *count)
{
    const struct slot *slot = slot_of(rulebook, event_name);
    *count = slot->name != NULL ? slot->count : 0;
    return slot->name != NULL ? slot->entries : NULL;
}

const struct rwd_rule *rwd_rulebook_experiment(
    const struct rwd_rulebook *rulebook, struct rwd_text key)
{
    for (size_t i = 0; i < rulebook->experiment_count; i++) {
        if (rwd_text_is(key, rulebook->experiments[i]->declares->key)) {
            return rulebook->experiments[i];
        }
    }
    return NULL;
}

const struct rwd_rule *rwd_rulebook_find(
    const struct rwd_rulebook *rulebook, struct rwd_text rule_id)
{
    for (size_t i = 0; i < rulebook->count; i++) {
        const struct rwd_rulebook_seat *seat = &rulebook->seats[i];
        if (seat->role != RWD_RULEBOOK_SHADOW && rwd_text_is(rule_id, seat->rule->rule->id)) {
            return seat->rule->rule;
        }
    }
    return NULL;
}

bool rwd_rulebook_takes(const struct rwd_rulebook_entry *entry, struct rwd_text user_id)
{
    if (entry->rollout == NULL) {
        return true;
    }
    uint32_t place = rwd_rollout_place(
        rwd_text_of(entry->rollout->id), rwd_text_of(entry->rollout->version), user_id);
    return place >= entry->from && place < entry->to;
}

const struct rwd_rulebook_entry *rwd_rulebook_shadows(
    const struct rwd_rulebook *rulebook, size_t *count)
{
    *count = rulebook->shadow_count;
    return rulebook->shadows;
}
