/* rng.c - SplitMix64 at a position, and the hashes that make keys. */
#include "kernels/base/rng.h"

#include <math.h>
#include <string.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t st_hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    hash = mix(hash + 0x9E3779B97F4A7C15u + size);
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++)         /* the same word on every byte order */
            word |= (uint64_t)p[i] << (8 * i);
        hash = mix(hash ^ word) + 0x9E3779B97F4A7C15u;
    }
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return mix(hash ^ word);
}

uint64_t st_hash_text(uint64_t hash, const char *text)
{
    return st_hash_bytes(hash, text, strlen(text));
}

uint64_t st_hash_str(uint64_t hash, st_str text)
{
    return st_hash_bytes(hash, text.data, text.size);
}

uint64_t st_hash_int(uint64_t hash, int64_t value)
{
    return mix(mix(hash + 0x9E3779B97F4A7C15u) ^ (uint64_t)value);
}

st_rng st_rng_from(uint64_t key)
{
    return (st_rng){.key = mix(key)};
}

uint64_t st_rng_next(st_rng *rng)
{
    rng->counter++;
    return mix(rng->key + rng->counter * 0x9E3779B97F4A7C15u);
}

uint64_t st_rng_below(st_rng *rng, uint64_t bound)
{
    ST_ASSERT(bound > 0);
    /* Draws below 2^64 mod bound would make the low answers likelier: draw again. */
    const uint64_t uneven = (0 - bound) % bound;
    uint64_t x;
    do
        x = st_rng_next(rng);
    while (x < uneven);
    return x % bound;
}

double st_rng_unit(st_rng *rng)
{
    return (double)(st_rng_next(rng) >> 11) * 0x1p-53;
}

double st_rng_between(st_rng *rng, double low, double high)
{
    return low + (high - low) * st_rng_unit(rng);
}

double st_rng_normal(st_rng *rng)
{
    const double u = 1.0 - st_rng_unit(rng);        /* (0,1]: the logarithm is finite */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * st_rng_unit(rng));
}

void st_rng_shuffle(st_rng *rng, void *elements, size_t count, size_t size)
{
    unsigned char *p = elements, swap[256];
    ST_ASSERT(size <= sizeof swap);
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)st_rng_below(rng, i);
        memcpy(swap, p + (i - 1) * size, size);
        memcpy(p + (i - 1) * size, p + j * size, size);
        memcpy(p + j * size, swap, size);
    }
}
