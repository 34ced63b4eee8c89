#include "sim.h"

#include <string.h>

/* As the API does it: the letter as a whole, in its new state, through its player's shard. */
static void drop(struct sim *sim, const struct rwd_dead_letter_row *letter)
{
    uint64_t fingerprint = rwd_fingerprint(sim->engine->fingerprint_key, letter->user_id);
    struct rwd_batch *batch =
        sim_new_batch(sim, rwd_engine_shard_of(sim->engine, fingerprint), sim->office);
    struct rwd_dead_letter_row *row = rwd_arena_alloc(&batch->arena, sizeof *row);
    MUST(sim, row != NULL, "no memory");
    *row = *letter;
    struct rwd_text *texts[] = {&row->letter_id, &row->lane, &row->reason, &row->pointer,
        &row->detail, &row->user_id, &row->reference, &row->body};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        texts[i]->data = rwd_arena_copy(&batch->arena, texts[i]->data, texts[i]->size);
        MUST(sim, texts[i]->data != NULL, "no memory");
    }
    row->status = RWD_TEXT("dropped");
    row->updated_ms = sim_wall_ms(sim);
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_DEAD_LETTER_CHANGE);
    input->user_fingerprint = fingerprint;
    input->dead_letter = row;
    sim_submit(sim, batch);
}

void sim_tidy_letters(struct sim *sim)
{
    struct rwd_message *message = rwd_mailbox_take(sim->office);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        sim_free_batch(sim, (struct rwd_batch *)message);
        message = next;
    }
    const struct rwd_store_filter filter = {.status = RWD_TEXT("open"), .limit = 8};
    struct rwd_dead_letter_row *letters = NULL;
    struct rwd_text cursor;
    size_t count = 0;
    MUST_OK(sim, rwd_store_dead_letters(sim->engine->reader, &filter, &sim->arena, &letters, &count,
                     &cursor, &sim->error));
    if (count > 0 && sim->batch_count < BATCH_COUNT_MAX / 2) {
        drop(sim, &letters[chance_below(&sim->chance, (uint32_t)count)]);
    }
    rwd_arena_reset(&sim->arena, 1 << 20);
}

struct rwd_buffer sim_letter_bytes(struct sim *sim)
{
    struct rwd_buffer bytes = {0};
    const struct rwd_store_filter filter = {.limit = RWD_STORE_LIST_COUNT_MAX};
    struct rwd_dead_letter_row *letters = NULL;
    struct rwd_text cursor;
    size_t count = 0;
    MUST_OK(sim, rwd_store_dead_letters(sim->engine->reader, &filter, &sim->arena, &letters, &count,
                     &cursor, &sim->error));
    MUST(sim, cursor.size == 0, "more dead letters than a page takes");
    for (size_t i = 0; i < count; i++) {
        rwd_dead_letter_encode(&letters[i], &bytes);
    }
    return bytes;
}
