/*
 * table: rows of text under headings, each column as wide as its widest cell.
 *
 * What is printed came from outside (user ids, reasons, raw bodies), so characters that could drive
 * a terminal are shown as '?', and a cell is cut after RWD_CTL_CELL_SIZE_MAX bytes.
 */
#ifndef RWD_CTL_TABLE_H
#define RWD_CTL_TABLE_H

#include "base/text.h"

enum { RWD_CTL_CELL_SIZE_MAX = 96 };

struct rwd_ctl_table;

/* headings: borrowed for the table's life. */
struct rwd_ctl_table *rwd_ctl_table_create(const char *const *headings, size_t column_count);
void rwd_ctl_table_destroy(struct rwd_ctl_table *table);
/* The next cell, left to right and row by row; copied. */
void rwd_ctl_table_put(struct rwd_ctl_table *table, struct rwd_text text);
size_t rwd_ctl_table_row_count(const struct rwd_ctl_table *table);
void rwd_ctl_table_write(const struct rwd_ctl_table *table, struct rwd_buffer *out);

/* Appends text without the characters that could drive a terminal. */
void rwd_ctl_put_plain(struct rwd_buffer *out, struct rwd_text text);

#endif
