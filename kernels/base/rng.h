/* rng.h - random numbers that depend on a key and a position, never on who asked before.
 *
 * A generator is a key and a counter (SplitMix64 over key + counter * golden ratio). Keys come from
 * hashes of names: (seed, scene, task, item), so the order of the work cannot change a draw.
 *
 * Source  Steele, Lea, Flood 2014 (SplitMix); data.md Q-1.
 *
 * May include: text.h.
 */
#ifndef ST_BASE_RNG_H
#define ST_BASE_RNG_H

#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_rng {
    uint64_t key, counter;
} st_rng;

/* A 64-bit hash of bytes, chained: start from a seed, feed the parts in order. The length is part
 * of the hash, so ("ab","c") and ("a","bc") differ. */
uint64_t st_hash_bytes(uint64_t hash, const void *bytes, size_t size);
uint64_t st_hash_text(uint64_t hash, const char *text);
uint64_t st_hash_str(uint64_t hash, st_str text);
uint64_t st_hash_int(uint64_t hash, int64_t value);

st_rng   st_rng_from(uint64_t key);
uint64_t st_rng_next(st_rng *rng);
uint64_t st_rng_below(st_rng *rng, uint64_t bound);         /* uniform in [0,bound), bound > 0 */
double   st_rng_unit(st_rng *rng);                          /* uniform in [0,1), 53 bits       */
double   st_rng_between(st_rng *rng, double low, double high);
double   st_rng_normal(st_rng *rng);                        /* mean 0, deviation 1; two draws  */

/* Shuffle `count` elements of `size` bytes (Fisher-Yates). */
void st_rng_shuffle(st_rng *rng, void *elements, size_t count, size_t size);

#endif
