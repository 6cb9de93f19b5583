/*-------------------------------------------------------------------------
 *
 * channel_random.h
 *	  Random numbers that are a function of a seed, for decisions and draws
 *	  that can be repeated.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_RANDOM_H
#define CRM_CHANNEL_RANDOM_H

#include <stdint.h>

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a counter and a mixer. */
static inline uint64_t
crm_random_mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
	return v ^ (v >> 31);
}

/* Uniform between 0 and 1, neither included. */
static inline double
crm_random_uniform(uint64_t *counter)
{
	*counter += UINT64_C(0x9e3779b97f4a7c15);
	return ((double) (crm_random_mix(*counter) >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

#endif							/* CRM_CHANNEL_RANDOM_H */
