/* arena.c - blocks, marks, and the poisoned gaps between pieces. */
#include "kernels/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#ifdef ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { GAP_BYTES = 32 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { GAP_BYTES = 0 };
#endif

enum { ALIGN_BYTES = 64, BLOCK_BYTES = 64 << 10, BLOCK_BYTES_MAX = 64 << 20 };

struct st_arena_block {
    st_arena_block *next;
    size_t          size, used;
    unsigned char  *bytes;
};

void st_arena_init(st_arena *arena, const char *name)
{
    *arena = (st_arena){.name = name};
}

void st_arena_free(st_arena *arena)
{
    for (st_arena_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        UNPOISON(b->bytes, b->size);
        free(b->bytes);
        free(b);
    }
    arena->first = arena->current = NULL;
}

void st_arena_rewind(st_arena *arena, st_arena_mark mark)
{
    st_arena_block *b = mark.block ? mark.block : arena->first;
    arena->current = b;
    for (; b; b = b->next) {
        b->used = b == mark.block ? mark.used : 0;
        POISON(b->bytes + b->used, b->size - b->used);
    }
}

void st_arena_reset(st_arena *arena)
{
    st_arena_rewind(arena, (st_arena_mark){0});
}

st_arena_mark st_arena_mark_get(const st_arena *arena)
{
    return (st_arena_mark){arena->current, arena->current ? arena->current->used : 0};
}

st_status st_size_mul(size_t *product, size_t a, size_t b)
{
    size_t p;
    if (__builtin_mul_overflow(a, b, &p) || p > INT64_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "%zu times %zu does not fit an address", a, b);
    *product = p;
    return st_ok();
}

st_status st_size_add(size_t *sum, size_t a, size_t b)
{
    size_t s;
    if (__builtin_add_overflow(a, b, &s) || s > INT64_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "%zu plus %zu does not fit an address", a, b);
    *sum = s;
    return st_ok();
}

/* A block with at least `need` free bytes becomes current; kept blocks are used before new ones. */
static st_status find_block(st_arena *arena, size_t need, const char *what)
{
    st_arena_block *last = arena->current;
    for (st_arena_block *b = arena->current; b; last = b, b = b->next)
        if (b->size - b->used >= need) {
            arena->current = b;
            return st_ok();
        }

    const size_t doubled = last ? 2 * last->size : BLOCK_BYTES;
    const size_t usual = doubled < BLOCK_BYTES_MAX ? doubled : BLOCK_BYTES_MAX;
    const size_t size = need > usual ? need : usual;
    st_arena_block *b = malloc(sizeof *b);
    unsigned char *bytes =
        aligned_alloc(ALIGN_BYTES, (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1));
    if (!b || !bytes) {
        free(b);
        free(bytes);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %s: the %s arena asked for %zu bytes", what,
                       arena->name, size);
    }
    *b = (st_arena_block){.size = size, .bytes = bytes};
    POISON(bytes, size);
    if (last)
        last->next = b;
    else
        arena->first = b;
    arena->current = b;
    return st_ok();
}

st_status sti_arena_alloc(st_arena *arena, void *pp, size_t count, size_t element, const char *what)
{
    if (*what == '&')
        what++;
    size_t size, need;
    ST_TRY(st_within(st_size_mul(&size, count, element), "no memory for %s", what));
    ST_TRY(st_within(st_size_add(&need, size, ALIGN_BYTES + GAP_BYTES), "no memory for %s", what));
    need &= ~(size_t)(ALIGN_BYTES - 1);
    ST_TRY(find_block(arena, need, what));

    st_arena_block *b = arena->current;
    void *p = b->bytes + b->used;
    b->used += need;
    UNPOISON(p, size);
    memset(p, 0, size);
    memcpy(pp, &p, sizeof p);       /* any pointer type: a cast would break aliasing rules */
    return st_ok();
}

st_status sti_arena_grow(st_arena *arena, void *pp, size_t *capacity, size_t need, size_t element,
                         const char *what)
{
    if (need <= *capacity)
        return st_ok();
    size_t wanted = *capacity > 8 ? *capacity : 8;
    while (wanted < need)
        ST_TRY(st_size_mul(&wanted, wanted, 2));

    void *old, *bigger;
    memcpy(&old, pp, sizeof old);
    ST_TRY(sti_arena_alloc(arena, &bigger, wanted, element, what));
    if (*capacity > 0)
        memcpy(bigger, old, *capacity * element);
    memcpy(pp, &bigger, sizeof bigger);
    *capacity = wanted;
    return st_ok();
}

st_status st_arena_copy_text(st_arena *arena, const char **copy, const char *text, size_t size)
{
    char *c;
    ST_TRY(ST_ALLOC(arena, &c, size + 1));
    if (size > 0)
        memcpy(c, text, size);
    *copy = c;
    return st_ok();
}

st_status st_arena_printf(st_arena *arena, const char **text, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    char *c;
    const st_status s = size < 0 ? ST_FAIL(ST_ERR_USAGE, "printf refused the format %s", fmt)
                                 : ST_ALLOC(arena, &c, (size_t)size + 1);
    if (s.code == ST_OK) {
        vsnprintf(c, (size_t)size + 1, fmt, again);
        *text = c;
    }
    va_end(again);
    return s;
}
