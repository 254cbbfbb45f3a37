/* arena.h - memory that lives together and leaves together.
 *
 * An arena hands out zeroed pieces and takes them back all at once: at a mark, or by reset. It
 * grows block by block and keeps its blocks for the next round. Under AddressSanitizer a poisoned
 * gap stands between neighbours.
 *
 * May include: status.h.
 */
#ifndef ST_BASE_ARENA_H
#define ST_BASE_ARENA_H

#include "kernels/base/status.h"

typedef struct st_arena_block st_arena_block;

typedef struct st_arena {
    st_arena_block *first;      /* blocks in the order they were filled   */
    st_arena_block *current;    /* the one that hands out memory          */
    const char     *name;       /* "scene", "scratch": for its sentences  */
} st_arena;

/* A place to come back to. */
typedef struct st_arena_mark {
    st_arena_block *block;
    size_t          used;
} st_arena_mark;

/* An empty arena; nothing is allocated yet. `name` is borrowed for good. */
void st_arena_init(st_arena *arena, const char *name);

/* Give every block back to the heap. The arena may be used again. */
void st_arena_free(st_arena *arena);

/* Forget every piece, keep the blocks. */
void st_arena_reset(st_arena *arena);

st_arena_mark st_arena_mark_get(const st_arena *arena);
void st_arena_rewind(st_arena *arena, st_arena_mark mark);

/* Set *pp to `count` zeroed elements, aligned for any type: ST_TRY(ST_ALLOC(arena, &xs, n)).
 * A count of 0 gives a pointer that is not NULL and must not be read.
 *
 * Fails   ST_ERR_MEMORY the heap is out; ST_ERR_LIMIT the size does not fit 63 bits.
 */
#define ST_ALLOC(arena, pp, count)                                                                \
    sti_arena_alloc((arena), (void *)(pp), (count), sizeof **(pp), "" #pp)

/* Make room for `need` elements in a growing array of the arena: *pp moves, *capacity grows by
 * doubling, the first *capacity old elements are kept. */
#define ST_GROW(arena, pp, capacity, need)                                                        \
    sti_arena_grow((arena), (void *)(pp), (capacity), (need), sizeof **(pp), "" #pp)

/* A copy of `size` bytes with a zero byte behind them. */
ST_CHECKED st_status st_arena_copy_text(st_arena *arena, const char **copy, const char *text,
                                        size_t size);

/* printf into the arena. */
ST_CHECKED ST_PRINTF(3, 4) st_status st_arena_printf(st_arena *arena, const char **text,
                                                     const char *fmt, ...);

/* a * b and a + b, or ST_ERR_LIMIT when the result does not fit 63 bits. */
ST_CHECKED st_status st_size_mul(size_t *product, size_t a, size_t b);
ST_CHECKED st_status st_size_add(size_t *sum, size_t a, size_t b);

/* Behind the macros; `pp` is the address of a pointer of any type. */
ST_CHECKED st_status sti_arena_alloc(st_arena *arena, void *pp, size_t count, size_t element,
                                     const char *what);
ST_CHECKED st_status sti_arena_grow(st_arena *arena, void *pp, size_t *capacity, size_t need,
                                    size_t element, const char *what);

#endif
