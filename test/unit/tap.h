/*
 * What the unit tests share: results in TAP's form, and random numbers that
 * are the same everywhere (SplitMix64; Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014).
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

static int	tap_tests = 0;
static int	tap_failures = 0;
static uint64_t tap_seed = 20261123;

static inline void
ok(bool passed, const char *what)
{
	printf("%s %d - %s\n", passed ? "ok" : "not ok", ++tap_tests, what);
	tap_failures += !passed;
}

/* The plan, after the last test; what main() returns. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failures > 0;
}

static inline uint64_t
random_bits(void)
{
	uint64_t	z = (tap_seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Above 0 and below 1. */
static inline double
uniform(void)
{
	return ((double) (random_bits() >> 11) + 0.5) / 9007199254740992.0;
}

/* From 0 to limit - 1. */
static inline unsigned
random_below(unsigned limit)
{
	return (unsigned) (random_bits() % limit);
}

#endif							/* TAP_H */
