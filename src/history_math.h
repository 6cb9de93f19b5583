/*-------------------------------------------------------------------------
 *
 * history_math.h
 *	  The state of crm.buying_history and its arithmetic, without a server.
 *
 * history_math.c says what the numbers mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_HISTORY_MATH_H
#define CRM_HISTORY_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __int128 CrmAmount;

/* Amounts are counted in millionths of the unit of currency. */
#define CRM_AMOUNT_SCALE	1000000

/* The greatest single amount (9 * 10^12 units), and the greatest sum. */
#define CRM_AMOUNT_MAX		(INT64_C(9000000000000) * CRM_AMOUNT_SCALE)
#define CRM_TOTAL_MAX		((CrmAmount) CRM_AMOUNT_MAX * INT64_C(1000000000000))

/* Times, in microseconds since 2000-01-01 UTC: 4713 BC to 294276 AD. */
#define CRM_HISTORY_TIME_MIN	INT64_C(-211813488000000000)
#define CRM_HISTORY_TIME_END	INT64_C(9223371331200000000)

#define CRM_USECS_PER_DAY		INT64_C(86400000000)

/*
 * One customer's purchases.  As stored: 64 bytes without padding, the
 * 128-bit sums as two halves, so that 8-byte alignment will do.
 */
typedef struct CrmHistory
{
	int64_t		purchases;		/* 1 or more */
	int64_t		days;			/* UTC days with a purchase, 1 .. purchases */
	int64_t		first;			/* time of the first purchase, microseconds */
	int64_t		last;			/* time of the last purchase */
	uint64_t	total_low;		/* sum of the amounts */
	int64_t		total_high;
	uint64_t	first_day_low;	/* of this, on the day of the first purchase */
	int64_t		first_day_high;
} CrmHistory;

/* One purchase. */
typedef struct CrmPurchase
{
	int64_t		at;				/* microseconds since 2000-01-01 UTC */
	int64_t		amount;			/* millionths */
} CrmPurchase;

/*
 * A history that purchases are still being added to, in any order: the state
 * of the aggregate.  sum.days is not kept until the end; of the days, what has
 * to be remembered is which they were.  The first "sorted" of them are strictly
 * ascending, those behind came out of order and may repeat.
 *
 * 80 bytes and four for each day; a block of memory of 128 holds 12 days.
 */
typedef struct CrmHistoryState
{
	int32_t		vl_len_;		/* the server's: the size of the whole block */
	uint32_t	format;
	int32_t		count;			/* entries of days[] in use, 1 or more */
	int32_t		sorted;			/* 1 .. count */
	CrmHistory	sum;
	int32_t		days[];			/* UTC days since 2000-01-01 */
} CrmHistoryState;

#define CRM_HISTORY_STATE_FORMAT	UINT32_C(0x63726d32)
#define CRM_HISTORY_STATE_SIZE(n)	(offsetof(CrmHistoryState, days) + (size_t) (n) * sizeof(int32_t))
#define CRM_HISTORY_STATE_ROOM(size) ((int64_t) (((size) - offsetof(CrmHistoryState, days)) / sizeof(int32_t)))
#define CRM_HISTORY_STATE_START		12

typedef enum CrmHistoryStatus
{
	CRM_HISTORY_OK,
	CRM_HISTORY_BAD_TIME,		/* infinite, or beyond the calendar */
	CRM_HISTORY_BAD_AMOUNT,		/* negative, not a number or too great */
	CRM_HISTORY_OVERFLOW,		/* a sum or count runs out of its range */
	CRM_HISTORY_FULL,			/* the state needs a larger block */
	CRM_HISTORY_BAD_STATE,		/* not a state that these functions made */
	CRM_HISTORY_INTERLEAVED		/* two histories that cannot be joined */
} CrmHistoryStatus;

static inline CrmAmount
crm_amount(uint64_t low, int64_t high)
{
	return (CrmAmount) (((unsigned __int128) (uint64_t) high << 64) | low);
}

static inline CrmAmount
crm_history_total(const CrmHistory *h)
{
	return crm_amount(h->total_low, h->total_high);
}

static inline CrmAmount
crm_history_first_day(const CrmHistory *h)
{
	return crm_amount(h->first_day_low, h->first_day_high);
}

/* The UTC day of a time; times before 2000 have negative days. */
static inline int64_t
crm_history_day(int64_t at)
{
	int64_t		day = at / CRM_USECS_PER_DAY;

	return day - (at % CRM_USECS_PER_DAY < 0);
}

extern CrmHistoryStatus crm_amount_from_double(double value, int64_t *amount);
extern CrmHistoryStatus crm_amount_from_base10000(const int16_t *digits, int n, int weight, bool negative, int64_t *amount);
extern const char *const crm_amount_too_great;
extern const char *crm_amount_parse(const char *text, const char **end, CrmAmount *amount);
extern void crm_amount_print(CrmAmount amount, char *text);

extern CrmHistoryStatus crm_purchase_check(const CrmPurchase *purchase);

extern void crm_history_begin(CrmHistoryState *state, const CrmPurchase *purchase);
extern CrmHistoryStatus crm_history_append(CrmHistoryState *state, int64_t room, const CrmPurchase *purchase);
extern CrmHistoryStatus crm_history_combine(CrmHistoryState *state, int64_t room, const CrmHistoryState *other);
extern bool crm_history_state_good(const CrmHistoryState *state, size_t size);
extern bool crm_history_state_plausible(const CrmHistoryState *state);
extern CrmHistoryStatus crm_history_finish(const CrmHistoryState *state, int32_t *scratch, CrmHistory *history);

extern CrmHistoryStatus crm_history_join(const CrmHistory *a, const CrmHistory *b, CrmHistory *joined);
extern const char *crm_history_fault(const CrmHistory *history);
extern bool crm_history_joinable(const CrmHistory *a, const CrmHistory *b);
extern int	crm_history_compare(const CrmHistory *a, const CrmHistory *b);

/* Bytes that an amount's text needs, with the final zero. */
#define CRM_AMOUNT_TEXT_SIZE 48

#endif							/* CRM_HISTORY_MATH_H */
