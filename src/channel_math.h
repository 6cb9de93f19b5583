/*-------------------------------------------------------------------------
 *
 * channel_math.h
 *	  The state of crm.channel_score and its arithmetic, without a server.
 *
 * The state ("score") is a string of bytes that is read and written through
 * memcpy, so it may lie at any address:
 *
 *		offset 0	uint32	format of the state, CRM_SCORE_FORMAT
 *		offset 4	int64	half-life in microseconds
 *		offset 12	int64	observations that were rather a success
 *		offset 20	int64	observations that were rather a failure
 *		offset 28	cells, 36 bytes each, ascending by index:
 *					uint128 successes, uint128 failures, int32 index
 *
 * channel_math.c says what the numbers mean and why sums of them are exact.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_MATH_H
#define CRM_CHANNEL_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 CrmSum;

#define CRM_SCORE_FORMAT		1
#define CRM_SCORE_HEAD			28
#define CRM_SCORE_CELL			36

/* Bytes of a score with so many cells. */
#define CRM_SCORE_SIZE(cells)	(CRM_SCORE_HEAD + (size_t) (cells) * CRM_SCORE_CELL)

/* A score never has more cells: 16 million half-lives, each with a contact. */
#define CRM_SCORE_MAX_CELLS		1000000

/* Half-lives, in microseconds: one hour to 10,000 years of 360 days. */
#define CRM_HALF_LIFE_MIN		INT64_C(3600000000)
#define CRM_HALF_LIFE_MAX		(INT64_C(3600000) * INT64_C(86400000000))

/* Times, in microseconds since 2000-01-01 UTC: 4713 BC to 294276 AD. */
#define CRM_TIME_MIN			INT64_C(-211813488000000000)
#define CRM_TIME_END			INT64_C(9223371331200000000)

/* The greatest weight of one observation. */
#define CRM_WEIGHT_MAX			1000000.0

typedef enum CrmScoreStatus
{
	CRM_SCORE_OK,
	CRM_SCORE_GROW,				/* not in place: the score gets more cells */
	CRM_SCORE_BAD_WEIGHT,		/* negative, infinite, NaN or too great */
	CRM_SCORE_BAD_TIME,			/* infinite or beyond the calendar */
	CRM_SCORE_BAD_HALF_LIFE,	/* outside of the bounds above */
	CRM_SCORE_OTHER_HALF_LIFE,	/* two scores of different half-lives */
	CRM_SCORE_OVERFLOW,			/* a sum or a count runs out of its integer */
	CRM_SCORE_NOT_CONTAINED,	/* subtrahend was never part of the minuend */
	CRM_SCORE_TOO_LONG			/* more than CRM_SCORE_MAX_CELLS */
} CrmScoreStatus;

extern int64_t crm_score_half_life(const unsigned char *score);
extern int64_t crm_score_successes(const unsigned char *score);
extern int64_t crm_score_failures(const unsigned char *score);
extern void crm_score_cell(const unsigned char *score, int i, int32_t *index, CrmSum *successes, CrmSum *failures);

extern void crm_score_start(unsigned char *score, int64_t half_life, int64_t successes, int64_t failures);
extern void crm_score_set_cell(unsigned char *score, int i, int32_t index, CrmSum successes, CrmSum failures);
extern const char *crm_score_fault(const unsigned char *score, size_t size);

extern CrmScoreStatus crm_score_event(double success, double failure, int64_t at, int64_t half_life,
									  unsigned char *score, int *cells);
extern CrmScoreStatus crm_score_add_in_place(unsigned char *a, int a_cells, const unsigned char *b, int b_cells);
extern CrmScoreStatus crm_score_add(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells,
									unsigned char *sum, int *cells);
extern CrmScoreStatus crm_score_subtract(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells,
										 unsigned char *difference, int *cells);
extern CrmScoreStatus crm_score_value(const unsigned char *score, int cells, int64_t at,
									  double *successes, double *failures);
extern int	crm_score_compare(const unsigned char *a, int a_cells, const unsigned char *b, int b_cells);

/* Bytes that the text of a score with so many cells needs, with the final zero. */
#define CRM_SCORE_TEXT_SIZE(cells)	(96 + (size_t) (cells) * 80)

extern void crm_score_print(const unsigned char *score, int cells, char *text);
extern int	crm_score_parse_bound(const char *text);
extern const char *crm_score_parse(const char *text, unsigned char *score, int *cells);

#endif							/* CRM_CHANNEL_MATH_H */
