/*
 * random.h: random numbers that depend on nothing but their seed.
 *
 * Each actor draws from a stream of its own, and what belongs to a key is
 * hashed from the key: so taking one fault out of a scenario changes as little
 * as possible elsewhere, which is what makes shortening work.
 */
#ifndef SIMULATION_RANDOM_H
#define SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static inline uint64_t random_next(struct rng *rng)
{
    return random_mix(rng->state += 0x9e3779b97f4a7c15);
}

/* From `least` to `most`, both included. */
static inline int64_t random_range(struct rng *rng, int64_t least, int64_t most)
{
    return least + (int64_t)(random_next(rng) % (uint64_t)(most - least + 1));
}

static inline bool random_permille(struct rng *rng, int permille)
{
    return random_range(rng, 0, 999) < permille;
}

static inline struct rng random_stream(uint64_t seed, uint64_t number)
{
    return (struct rng){random_mix(seed ^ random_mix(number + 0x5851f42d))};
}

/* FNV-1a, for what is hashed from a text. */
static inline uint64_t random_hash_text(uint64_t seed, const char *text)
{
    uint64_t hash = 0xcbf29ce484222325 ^ random_mix(seed);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return random_mix(hash);
}

#endif
