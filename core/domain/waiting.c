#include "domain/waiting.h"

#include "base/check.h"
#include "base/memory.h"

#include <string.h>

/* Where the event stands, or would: before all that come after it. */
static size_t place_of(
    const struct rwd_waiting *waiting, int64_t event_ms, struct rwd_text event_id)
{
    size_t at = waiting->count;
    /* From the end: most events come in order. */
    while (at > 0) {
        const struct rwd_waiting_event *before = &waiting->events[at - 1];
        if (before->event_ms < event_ms ||
            (before->event_ms == event_ms && rwd_text_compare(before->event_id, event_id) <= 0)) {
            break;
        }
        at--;
    }
    return at;
}

/* One piece of memory behind rule_nos has all of it. */
static struct rwd_waiting_event copy_of(const struct rwd_waiting_event *event)
{
    RWD_REQUIRE(event->rule_count > 0);
    struct rwd_waiting_event copy = *event;
    size_t rules_size = event->rule_count * sizeof event->rule_nos[0];
    char *memory = rwd_new(rules_size + event->event_id.size + event->raw.size);
    copy.rule_nos = (uint32_t *)(void *)memory;
    copy.event_id.data = memory + rules_size;
    copy.raw.data = copy.event_id.data + event->event_id.size;
    memcpy(memory, event->rule_nos, rules_size);
    memcpy(memory + rules_size, event->event_id.data, event->event_id.size);
    memcpy(memory + rules_size + event->event_id.size, event->raw.data, event->raw.size);
    return copy;
}

void rwd_waiting_add(struct rwd_player *player, const struct rwd_waiting_event *event)
{
    if (player->waiting == NULL) {
        player->waiting = rwd_new(sizeof *player->waiting);
    }
    struct rwd_waiting *waiting = player->waiting;
    size_t at = place_of(waiting, event->event_ms, event->event_id);
    waiting->events = rwd_room_for(
        waiting->events, waiting->count, &waiting->capacity, sizeof waiting->events[0]);
    memmove(waiting->events + at + 1, waiting->events + at,
        (waiting->count - at) * sizeof waiting->events[0]);
    waiting->events[at] = copy_of(event);
    waiting->count++;
    waiting->size += event->raw.size;
}

const struct rwd_waiting_event *rwd_waiting_find(
    const struct rwd_player *player, int64_t event_ms, uint64_t fingerprint)
{
    for (size_t i = 0; i < rwd_waiting_count(player); i++) {
        const struct rwd_waiting_event *event = &player->waiting->events[i];
        if (event->event_ms == event_ms && event->fingerprint == fingerprint) {
            return event;
        }
    }
    return NULL;
}

void rwd_waiting_hold(struct rwd_player *player, int64_t event_ms, uint64_t fingerprint)
{
    for (size_t i = 0; i < rwd_waiting_count(player); i++) {
        struct rwd_waiting_event *event = &player->waiting->events[i];
        if (event->event_ms == event_ms && event->fingerprint == fingerprint) {
            event->held = true;
        }
    }
}

void rwd_waiting_remove(struct rwd_player *player, int64_t event_ms, uint64_t fingerprint)
{
    const struct rwd_waiting_event *found = rwd_waiting_find(player, event_ms, fingerprint);
    RWD_REQUIRE(found != NULL);
    struct rwd_waiting *waiting = player->waiting;
    size_t at = (size_t)(found - waiting->events);
    waiting->size -= found->raw.size;
    rwd_free(found->rule_nos);
    waiting->count--;
    memmove(waiting->events + at, waiting->events + at + 1,
        (waiting->count - at) * sizeof waiting->events[0]);
    if (waiting->count == 0) {
        rwd_waiting__destroy(waiting);
        player->waiting = NULL;
    }
}

size_t rwd_waiting_count(const struct rwd_player *player)
{
    return player->waiting != NULL ? player->waiting->count : 0;
}

int64_t rwd_waiting_since_ms(const struct rwd_player *player)
{
    int64_t since_ms = player->waiting != NULL ? INT64_MAX : 0;
    for (size_t i = 0; i < rwd_waiting_count(player); i++) {
        const struct rwd_waiting_event *event = &player->waiting->events[i];
        since_ms = !event->held && event->ingest_ms < since_ms ? event->ingest_ms : since_ms;
    }
    return since_ms;
}

bool rwd_waiting_has_rule(const struct rwd_waiting_event *event, uint32_t rule_no)
{
    for (size_t i = 0; i < event->rule_count; i++) {
        if (event->rule_nos[i] == rule_no) {
            return true;
        }
    }
    return false;
}

void rwd_waiting__encode(const struct rwd_waiting *waiting, struct rwd_buffer *out)
{
    rwd_wire_put_varint(out, waiting->count);
    for (size_t i = 0; i < waiting->count; i++) {
        const struct rwd_waiting_event *event = &waiting->events[i];
        rwd_wire_put_signed(out, event->event_ms);
        rwd_wire_put_signed(out, event->ingest_ms);
        rwd_wire_put_u64(out, event->fingerprint);
        rwd_wire_put_text(out, event->event_id);
        rwd_wire_put_text(out, event->raw);
        rwd_wire_put_varint(out, event->rule_count);
        for (size_t rule = 0; rule < event->rule_count; rule++) {
            rwd_wire_put_varint(out, event->rule_nos[rule]);
        }
    }
}

void rwd_waiting__decode(struct rwd_wire *wire, struct rwd_player *player)
{
    size_t count = rwd_wire_count(wire, sizeof(uint64_t));
    wire->failed |= count == 0;
    for (size_t i = 0; i < count && !wire->failed; i++) {
        struct rwd_waiting_event event = {.event_ms = rwd_wire_signed(wire)};
        event.ingest_ms = rwd_wire_signed(wire);
        event.fingerprint = rwd_wire_u64(wire);
        event.event_id = rwd_wire_text(wire);
        event.raw = rwd_wire_text(wire);
        event.rule_count = rwd_wire_count(wire, 1);
        wire->failed |= event.rule_count == 0;
        if (wire->failed) {
            return;
        }
        event.rule_nos = rwd_new(event.rule_count * sizeof event.rule_nos[0]);
        for (size_t rule = 0; rule < event.rule_count; rule++) {
            event.rule_nos[rule] = (uint32_t)rwd_wire_varint(wire);
        }
        rwd_waiting_add(player, &event);
        rwd_free(event.rule_nos);
    }
}

void rwd_waiting__destroy(struct rwd_waiting *waiting)
{
    if (waiting == NULL) {
        return;
    }
    for (size_t i = 0; i < waiting->count; i++) {
        rwd_free(waiting->events[i].rule_nos);
    }
    rwd_free(waiting->events);
    rwd_free(waiting);
}
