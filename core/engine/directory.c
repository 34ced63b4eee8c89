#include "engine/directory.h"

#include "base/check.h"
#include "base/memory.h"
#include "domain/experiment.h"

#include <stdatomic.h>

enum { BLOCK_SIZE = 1024 };

/* What rulebooks ask. A list that only grows at its head: readers follow next, which never changes,
 * and what they were handed stays. */
struct asked {
    const struct asked *next;
    struct rwd_text versions;
};

/* A rulebook's place is its number modulo their count. no is 0 while the place changes hands. */
struct place {
    _Atomic uint32_t rulebook_no;
    _Atomic(const struct asked *) asked;
};

struct rwd_directory {
    struct rwd_directory_entry *blocks[RWD_DIRECTORY_VERSION_COUNT_MAX / BLOCK_SIZE];
    _Atomic uint32_t count;
    uint32_t first_version_of[RWD_DIRECTORY_VERSION_COUNT_MAX]; /* by rule_no - 1 */
    struct place places[RWD_DIRECTORY_RULEBOOK_COUNT_MAX];
    const struct asked *asked; /* the adding thread's */
};

struct rwd_directory *rwd_directory_create(void)
{
    return rwd_new(sizeof(struct rwd_directory));
}

void rwd_directory_destroy(struct rwd_directory *directory)
{
    if (directory != NULL) {
        for (size_t i = 0; i < RWD_DIRECTORY_VERSION_COUNT_MAX / BLOCK_SIZE; i++) {
            rwd_free(directory->blocks[i]);
        }
        while (directory->asked != NULL) {
            const struct asked *next = directory->asked->next;
            rwd_free((void *)(uintptr_t)directory->asked->versions.data);
            rwd_free((void *)(uintptr_t)directory->asked);
            directory->asked = next;
        }
        rwd_free(directory);
    }
}

enum rwd_status rwd_directory_add(
    struct rwd_directory *directory, const struct rwd_directory_entry *entry)
{
    uint32_t count = rwd_directory_count(directory);
    if (count == RWD_DIRECTORY_VERSION_COUNT_MAX) {
        return RWD_LIMIT;
    }
    RWD_REQUIRE(entry->version_no == count + 1 && entry->rule_no > 0 &&
                entry->rule_no <= RWD_DIRECTORY_VERSION_COUNT_MAX);
    struct rwd_directory_entry **block = &directory->blocks[count / BLOCK_SIZE];
    if (*block == NULL) {
        *block = rwd_new(BLOCK_SIZE * sizeof **block);
    }
    (*block)[count % BLOCK_SIZE] = *entry;
    if (directory->first_version_of[entry->rule_no - 1] == 0) {
        directory->first_version_of[entry->rule_no - 1] = entry->version_no;
    }
    atomic_store_explicit(&directory->count, count + 1, memory_order_release);
    return RWD_OK;
}

uint32_t rwd_directory_count(const struct rwd_directory *directory)
{
    return atomic_load_explicit(&directory->count, memory_order_acquire);
}

const struct rwd_directory_entry *rwd_directory_version(
    const struct rwd_directory *directory, uint32_t version_no)
{
    if (version_no == 0 || version_no > rwd_directory_count(directory)) {
        return NULL;
    }
    uint32_t index = version_no - 1;
    return &directory->blocks[index / BLOCK_SIZE][index % BLOCK_SIZE];
}

struct rwd_text rwd_directory_experiment(const struct rwd_directory *directory, uint32_t version_no)
{
    const struct rwd_directory_entry *entry = rwd_directory_version(directory, version_no);
    return entry != NULL ? rwd_experiment_key_of(entry->rule_id) : (struct rwd_text){0};
}

const struct rwd_directory_entry *rwd_directory_rule(
    const struct rwd_directory *directory, uint32_t rule_no)
{
    /* The count is read first: what it covers is seen whole. */
    if (rule_no == 0 || rule_no > rwd_directory_count(directory)) {
        return NULL;
    }
    return rwd_directory_version(directory, directory->first_version_of[rule_no - 1]);
}

static const struct asked *ask(struct rwd_directory *directory, struct rwd_text versions)
{
    for (const struct asked *at = directory->asked; at != NULL; at = at->next) {
        if (rwd_text_equal(at->versions, versions)) {
            return at;
        }
    }
    struct asked *added = rwd_new(sizeof *added);
    added->next = directory->asked;
    added->versions =
        (struct rwd_text){.data = rwd_copy(versions.data, versions.size), .size = versions.size};
    directory->asked = added;
    return added;
}

void rwd_directory_add_rulebook(
    struct rwd_directory *directory, uint32_t rulebook_no, struct rwd_text versions)
{
    struct place *place = &directory->places[rulebook_no % RWD_DIRECTORY_RULEBOOK_COUNT_MAX];
    const struct asked *asked = ask(directory, versions);
    atomic_store(&place->rulebook_no, 0);
    atomic_store(&place->asked, asked);
    atomic_store(&place->rulebook_no, rulebook_no);
}

struct rwd_text rwd_directory_rulebook(const struct rwd_directory *directory, uint32_t rulebook_no)
{
    const struct place *place = &directory->places[rulebook_no % RWD_DIRECTORY_RULEBOOK_COUNT_MAX];
    if (rulebook_no == 0 || atomic_load(&place->rulebook_no) != rulebook_no) {
        return (struct rwd_text){0};
    }
    const struct asked *asked = atomic_load(&place->asked);
    /* Numbers never come again: the same one before and after is the text's own. */
    return atomic_load(&place->rulebook_no) == rulebook_no ? asked->versions : (struct rwd_text){0};
}
