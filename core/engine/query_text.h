/*
 * query_text: rows of the store as the API's JSON (spec 10). Shared by the query thread, which
 * answers with lists of them, and the edge, which answers a command with one.
 *
 * Pure: appends to the buffer. Times are RFC 3339, what is not there is null, money is a decimal
 * string.
 */
#ifndef RWD_ENGINE_QUERY_TEXT_H
#define RWD_ENGINE_QUERY_TEXT_H

#include "store/store.h"

/* deliveries NULL: the task's JSON says nothing of them. */
void rwd_query__put_task(const struct rwd_task_row *row, const struct rwd_delivery_row *deliveries,
    size_t delivery_count, struct rwd_buffer *out);
void rwd_query__put_ledger(const struct rwd_ledger_row *row, struct rwd_buffer *out);
void rwd_query__put_dead_letter(const struct rwd_dead_letter_row *row, struct rwd_buffer *out);

/* null for 0. */
void rwd_query__put_time(int64_t time_ms, struct rwd_buffer *out);
/* null for an empty text. */
void rwd_query__put_text(struct rwd_text text, struct rwd_buffer *out);
/* A decimal string; "0" where there is no currency. */
void rwd_query__put_money(int64_t minor, struct rwd_text currency, struct rwd_buffer *out);

#endif
