#include "ctl/table.h"

#include "base/check.h"
#include "base/memory.h"

struct rwd_ctl_table {
    const char *const *headings;
    size_t column_count;
    char **cells;
    size_t cell_count;
    size_t cell_capacity;
};

struct rwd_ctl_table *rwd_ctl_table_create(const char *const *headings, size_t column_count)
{
    RWD_REQUIRE(column_count > 0);
    struct rwd_ctl_table *table = rwd_new(sizeof *table);
    table->headings = headings;
    table->column_count = column_count;
    return table;
}

void rwd_ctl_table_destroy(struct rwd_ctl_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        rwd_free(table->cells[i]);
    }
    rwd_free(table->cells);
    rwd_free(table);
}

static bool continues_character(char byte)
{
    return ((unsigned char)byte & 0xc0U) == 0x80U;
}

void rwd_ctl_put_plain(struct rwd_buffer *out, struct rwd_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        /* U+0080 to U+009F, the second set of controls, are c2 80 to c2 9f in UTF-8. */
        bool second_set = byte == 0xc2 && i + 1 < text.size &&
                          (unsigned char)text.data[i + 1] >= 0x80 &&
                          (unsigned char)text.data[i + 1] < 0xa0;
        i += second_set;
        rwd_buffer_put_char(out, byte < 0x20 || byte == 0x7f || second_set ? '?' : text.data[i]);
    }
}

void rwd_ctl_table_put(struct rwd_ctl_table *table, struct rwd_text text)
{
    struct rwd_buffer cell = {0};
    bool cut = text.size > RWD_CTL_CELL_SIZE_MAX;
    if (cut) {
        text.size = RWD_CTL_CELL_SIZE_MAX - 3;
        while (text.size > 0 && continues_character(text.data[text.size])) {
            text.size--;
        }
    }
    rwd_ctl_put_plain(&cell, text);
    rwd_buffer_put_string(&cell, cut ? "..." : "");
    table->cells =
        rwd_room_for(table->cells, table->cell_count, &table->cell_capacity, sizeof(char *));
    table->cells[table->cell_count++] = rwd_copy(rwd_buffer_c_string(&cell), cell.size);
    rwd_buffer_finish(&cell);
}

size_t rwd_ctl_table_row_count(const struct rwd_ctl_table *table)
{
    return table->cell_count / table->column_count;
}

/* Characters, not bytes: what a terminal counts. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += !continues_character(*text);
    }
    return width;
}

static void put_cell(struct rwd_buffer *out, const char *text, size_t width, bool is_last)
{
    rwd_buffer_put_string(out, text);
    for (size_t i = width_of(text); !is_last && i < width + 2; i++) {
        rwd_buffer_put_char(out, ' ');
    }
    if (is_last) {
        rwd_buffer_put_char(out, '\n');
    }
}

void rwd_ctl_table_write(const struct rwd_ctl_table *table, struct rwd_buffer *out)
{
    size_t columns = table->column_count;
    RWD_REQUIRE(columns > 0);
    size_t *widths = rwd_new((columns + 1) * sizeof widths[0]);
    for (size_t i = 0; i < columns; i++) {
        widths[i] = width_of(table->headings[i]);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = width_of(table->cells[i]);
        widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
    }
    for (size_t i = 0; i < columns; i++) {
        put_cell(out, table->headings[i], widths[i], i + 1 == columns);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        put_cell(out, table->cells[i], widths[i % columns], (i + 1) % columns == 0);
    }
    rwd_free(widths);
}
