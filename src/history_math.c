/*-------------------------------------------------------------------------
 *
 * history_math.c
 *	  The state of crm.buying_history and its arithmetic, without a server.
 *
 * A buying history is what the customer-base models need to know of one
 * customer's purchases: how many, on how many UTC days, the first and the last
 * time, and the sums of the amounts, with and without the first day (the
 * models of spend look at repeat purchases only).  Amounts are integers, in
 * millionths of the unit of currency, and their sums 128 bits wide; so
 * histories are equal bit for bit whatever the order in which the purchases
 * came.
 *
 * While purchases are being added up, in any order, their days have to be
 * remembered, since only that tells how many there were; nothing else has.  So
 * the state needs room for the days, not for the purchases, and purchases that
 * come in order of time, as they usually do, cost a comparison each.
 *
 *-------------------------------------------------------------------------
 */
#include "history_math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
set_amount(uint64_t *low, int64_t *high, CrmAmount amount)
{
	*low = (uint64_t) amount;
	*high = (int64_t) (amount >> 64);
}

static bool
good_time(int64_t at)
{
	return at >= CRM_HISTORY_TIME_MIN && at < CRM_HISTORY_TIME_END;
}

/*
 * A double as an amount, the slow way: its shortest decimal that reads back as
 * the same double (what float8 prints as), rounded.
 */
static CrmHistoryStatus
amount_from_shortest(double value, int64_t *amount)
{
	char		text[40];
	int			precision = 14;
	int64_t		mantissa = 0;
	int			shift;
	const char *p;

	for (; precision < 17; precision++)
	{
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	for (p = text; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			mantissa = mantissa * 10 + (*p - '0');
	shift = atoi(p + 1) - precision + 6;	/* amount = mantissa * 10^shift */
	if (shift < -18)
		mantissa = 0;
	for (; shift > 0 && mantissa > 0; shift--)
		if (__builtin_mul_overflow(mantissa, 10, &mantissa))
			return CRM_HISTORY_BAD_AMOUNT;
	if (shift < 0 && mantissa > 0)
	{
		for (; shift < -1; shift++)
			mantissa /= 10;		/* the digits behind do not decide: halves go up */
		mantissa = mantissa / 10 + (mantissa % 10 >= 5);
	}
	if (mantissa > CRM_AMOUNT_MAX)
		return CRM_HISTORY_BAD_AMOUNT;
	*amount = mantissa;
	return CRM_HISTORY_OK;
}

/*
 * A double as an amount: the decimal that it prints as (the shortest that reads
 * back the same), rounded to millionths, halves away from zero; so a double and
 * a numeric of the same decimal are the same amount.
 *
 * The double and its decimal differ by at most half a unit in the last place,
 * and the product is off by at most another; where that cannot matter, rounding
 * the product is enough.
 */
CrmHistoryStatus
crm_amount_from_double(double value, int64_t *amount)
{
	double		scaled,
				nearest;

	if (!(value >= 0) || !(value <= (double) (CRM_AMOUNT_MAX / CRM_AMOUNT_SCALE)))
		return CRM_HISTORY_BAD_AMOUNT;
	scaled = value * CRM_AMOUNT_SCALE;
	nearest = (double) (int64_t) (scaled + 0.5);
	if (scaled < 0x1p50 && fabs(scaled - nearest) < 0.5 - scaled * 0x1p-51)
	{
		*amount = (int64_t) nearest;
		return CRM_HISTORY_OK;
	}
	return amount_from_shortest(value, amount);
}

/*
 * A decimal as an amount, rounded alike: digits of base 10000, the first of
 * which counts 10000^weight.
 */
CrmHistoryStatus
crm_amount_from_base10000(const int16_t *digits, int n, int weight, bool negative, int64_t *amount)
{
	int64_t		whole = 0,
				millionths = 0;

	if (n > 0 && (negative || weight > 3))
		return CRM_HISTORY_BAD_AMOUNT;
	for (int i = 0; i <= weight; i++)
		whole = whole * 10000 + (i < n ? digits[i] : 0);
	for (int i = weight < -1 ? 0 : weight + 1; i < n && weight - i >= -2; i++)
		millionths += weight - i == -1 ? digits[i] * 100 : (digits[i] + 50) / 100;
	if (whole > CRM_AMOUNT_MAX / CRM_AMOUNT_SCALE)
		return CRM_HISTORY_BAD_AMOUNT;
	*amount = whole * CRM_AMOUNT_SCALE + millionths;
	return *amount > CRM_AMOUNT_MAX ? CRM_HISTORY_BAD_AMOUNT : CRM_HISTORY_OK;
}

const char *const crm_amount_too_great = "an amount is out of range";

/*
 * Reads digits with at most six decimals.  Returns null, or what is wrong with
 * the text, crm_amount_too_great when it is its size; *end is where the number
 * ends.
 */
const char *
crm_amount_parse(const char *text, const char **end, CrmAmount *amount)
{
	CrmAmount	value = 0;
	int			digits = 0,
				decimals = 0;
	bool		point = false;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++)
	{
		if (*text == '.')
		{
			point = true;
			continue;
		}
		if (point && ++decimals > 6)
			return "an amount has more than six decimals";
		if (value > CRM_TOTAL_MAX / 10)
			return crm_amount_too_great;
		value = value * 10 + (*text - '0');
		digits++;
	}
	if (digits == 0 || (point && decimals == 0))
		return "an amount is not a number";
	for (; decimals < 6; decimals++)
	{
		if (value > CRM_TOTAL_MAX / 10)
			return crm_amount_too_great;
		value *= 10;
	}
	if (value > CRM_TOTAL_MAX)
		return crm_amount_too_great;
	*end = text;
	*amount = value;
	return NULL;
}

/* Writes an amount without superfluous zeros: 12, 12.5, 0.000001. */
void
crm_amount_print(CrmAmount amount, char *text)
{
	char		digits[CRM_AMOUNT_TEXT_SIZE];
	int			n = 0;
	unsigned __int128 whole = (unsigned __int128) (amount < 0 ? -amount : amount) / CRM_AMOUNT_SCALE;
	int			fraction = (int) ((unsigned __int128) (amount < 0 ? -amount : amount) % CRM_AMOUNT_SCALE);

	if (amount < 0)
		*text++ = '-';
	do
	{
		digits[n++] = '0' + (int) (whole % 10);
		whole /= 10;
	} while (whole > 0);
	while (n > 0)
		*text++ = digits[--n];
	if (fraction > 0)
	{
		*text++ = '.';
		for (int unit = CRM_AMOUNT_SCALE / 10; fraction > 0; unit /= 10)
		{
			*text++ = '0' + fraction / unit;
			fraction %= unit;
		}
	}
	*text = '\0';
}

CrmHistoryStatus
crm_purchase_check(const CrmPurchase *purchase)
{
	if (!good_time(purchase->at))
		return CRM_HISTORY_BAD_TIME;
	if (purchase->amount < 0 || purchase->amount > CRM_AMOUNT_MAX)
		return CRM_HISTORY_BAD_AMOUNT;
	return CRM_HISTORY_OK;
}

/* The state of one purchase.  Room for one day must be there. */
void
crm_history_begin(CrmHistoryState *state, const CrmPurchase *purchase)
{
	state->format = CRM_HISTORY_STATE_FORMAT;
	state->count = 1;
	state->sorted = 1;
	state->days[0] = (int32_t) crm_history_day(purchase->at);
	state->sum.purchases = 1;
	state->sum.days = 0;
	state->sum.first = purchase->at;
	state->sum.last = purchase->at;
	set_amount(&state->sum.total_low, &state->sum.total_high, purchase->amount);
	set_amount(&state->sum.first_day_low, &state->sum.first_day_high, purchase->amount);
}

static int
compare_days(const void *a, const void *b)
{
	int32_t		x = *(const int32_t *) a;
	int32_t		y = *(const int32_t *) b;

	return (x > y) - (x < y);
}

/* Sorts days and leaves each of them once; returns how many are left. */
static int32_t
sort_days(int32_t *days, int32_t count)
{
	int32_t		left = 1;

	qsort(days, count, sizeof(int32_t), compare_days);
	for (int32_t i = 1; i < count; i++)
		if (days[i] != days[left - 1])
			days[left++] = days[i];
	return left;
}

/* Up to here, days are kept in order as they come; beyond, only now and then. */
#define FEW_DAYS 32

/*
 * Remembers a day, for which there must be room for "room" days in all.
 * Returns false when the block is full and that many different days are in
 * use that a larger one is due.
 */
static bool
remember_day(CrmHistoryState *state, int64_t room, int32_t day)
{
	int32_t    *days = state->days;
	int32_t		at = state->count;

	if (days[at - 1] == day)
		return true;
	if (at >= room)
	{
		if (state->sorted < at)
			state->count = state->sorted = at = sort_days(days, at);
		if (at > room / 2)
			return false;
	}
	if (state->sorted == at)
	{
		if (days[at - 1] < day)
			state->sorted++;
		else if (at < FEW_DAYS)
		{
			while (at > 0 && days[at - 1] > day)
				at--;
			if (at > 0 && days[at - 1] == day)
				return true;
			memmove(days + at + 1, days + at, (state->count - at) * sizeof(int32_t));
			state->sorted++;
		}
	}
	days[at] = day;
	state->count++;
	return true;
}

/*
 * Adds a checked purchase to a state whose block has room for so many days.
 * Nothing is added when the result is not CRM_HISTORY_OK; after
 * CRM_HISTORY_FULL the caller gives it a larger block and tries again.
 */
CrmHistoryStatus
crm_history_append(CrmHistoryState *state, int64_t room, const CrmPurchase *purchase)
{
	CrmHistory *sum = &state->sum;
	CrmAmount	total = crm_history_total(sum) + purchase->amount;
	int64_t		day = crm_history_day(purchase->at);
	int64_t		first_day = crm_history_day(sum->first);

	if (total > CRM_TOTAL_MAX || sum->purchases == INT64_MAX)
		return CRM_HISTORY_OVERFLOW;
	if (!remember_day(state, room, (int32_t) day))
		return CRM_HISTORY_FULL;
	sum->purchases++;
	set_amount(&sum->total_low, &sum->total_high, total);
	if (day < first_day)
		set_amount(&sum->first_day_low, &sum->first_day_high, purchase->amount);
	else if (day == first_day)
		set_amount(&sum->first_day_low, &sum->first_day_high, crm_history_first_day(sum) + purchase->amount);
	if (purchase->at < sum->first)
		sum->first = purchase->at;
	if (purchase->at > sum->last)
		sum->last = purchase->at;
	return CRM_HISTORY_OK;
}

/* Adds another state, likewise. */
CrmHistoryStatus
crm_history_combine(CrmHistoryState *state, int64_t room, const CrmHistoryState *other)
{
	CrmHistory *sum = &state->sum;
	CrmAmount	total = crm_history_total(sum) + crm_history_total(&other->sum);
	int64_t		day = crm_history_day(sum->first);
	int64_t		other_day = crm_history_day(other->sum.first);
	int64_t		purchases;

	if (total > CRM_TOTAL_MAX ||
		__builtin_add_overflow(sum->purchases, other->sum.purchases, &purchases))
		return CRM_HISTORY_OVERFLOW;
	if (state->count + (int64_t) other->count > room)
	{
		if (state->sorted < state->count)
			state->count = state->sorted = sort_days(state->days, state->count);
		if (state->count + (int64_t) other->count > room)
			return CRM_HISTORY_FULL;
	}
	if (state->sorted == state->count && state->days[state->count - 1] < other->days[0])
		state->sorted += other->sorted;
	memcpy(state->days + state->count, other->days, other->count * sizeof(int32_t));
	state->count += other->count;

	sum->purchases = purchases;
	set_amount(&sum->total_low, &sum->total_high, total);
	if (other_day <= day)
		set_amount(&sum->first_day_low, &sum->first_day_high,
				   crm_history_first_day(&other->sum) + (other_day == day ? crm_history_first_day(sum) : 0));
	if (other->sum.first < sum->first)
		sum->first = other->sum.first;
	if (other->sum.last > sum->last)
		sum->last = other->sum.last;
	return CRM_HISTORY_OK;
}

/* May a block of so many bytes be read as a state? */
bool
crm_history_state_good(const CrmHistoryState *state, size_t size)
{
	return size >= CRM_HISTORY_STATE_SIZE(1) && state->format == CRM_HISTORY_STATE_FORMAT &&
		state->count >= 1 && state->count <= CRM_HISTORY_STATE_ROOM(size) &&
		state->sorted >= 1 && state->sorted <= state->count;
}

/* Can it have come from purchases?  The number of days is judged at the end. */
bool
crm_history_state_plausible(const CrmHistoryState *state)
{
	const CrmHistory *sum = &state->sum;
	int64_t		first,
				last;

	if (sum->purchases < 1 || sum->days != 0 || !good_time(sum->first) || !good_time(sum->last) ||
		crm_history_total(sum) < 0 || crm_history_total(sum) > CRM_TOTAL_MAX ||
		crm_history_first_day(sum) < 0 || crm_history_first_day(sum) > crm_history_total(sum))
		return false;
	first = crm_history_day(sum->first);
	last = crm_history_day(sum->last);
	for (int32_t i = 0; i < state->count; i++)
		if (state->days[i] < first || state->days[i] > last ||
			(i > 0 && i < state->sorted && state->days[i] <= state->days[i - 1]))
			return false;
	return true;
}

/*
 * The history of a state, which is left as it is.  When it is not sorted,
 * scratch must have room for all its days.  Whoever made the state, what comes
 * out is a history without fault, or CRM_HISTORY_BAD_STATE.
 */
CrmHistoryStatus
crm_history_finish(const CrmHistoryState *state, int32_t *scratch, CrmHistory *history)
{
	const int32_t *days = state->days;
	int32_t		count = state->count;

	if (state->sorted < count)
	{
		memcpy(scratch, days, count * sizeof(int32_t));
		count = sort_days(scratch, count);
		days = scratch;
	}
	for (int32_t i = 1; i < count; i++)
		if (days[i] <= days[i - 1])
			return CRM_HISTORY_BAD_STATE;
	*history = state->sum;
	history->days = count;
	if (crm_history_fault(history) != NULL || days[0] != crm_history_day(history->first) ||
		days[count - 1] != crm_history_day(history->last))
		return CRM_HISTORY_BAD_STATE;
	return CRM_HISTORY_OK;
}

/* Has one ended, by UTC days, when the other begins? */
bool
crm_history_joinable(const CrmHistory *a, const CrmHistory *b)
{
	return crm_history_day(a->last) <= crm_history_day(b->first) ||
		crm_history_day(b->last) <= crm_history_day(a->first);
}

/*
 * Joins two histories of which one ends before the other begins.  They may
 * share the day on which they meet, which then counts once.
 */
CrmHistoryStatus
crm_history_join(const CrmHistory *a, const CrmHistory *b, CrmHistory *joined)
{
	CrmHistory	result;
	CrmAmount	total,
				first_day;

	if (!crm_history_joinable(a, b))
		return CRM_HISTORY_INTERLEAVED;
	if (crm_history_day(a->last) > crm_history_day(b->first))
	{
		const CrmHistory *swap = a;

		a = b;
		b = swap;
	}
	/* a is the earlier one by days; within the shared day either may be */
	total = crm_history_total(a) + crm_history_total(b);
	if (total > CRM_TOTAL_MAX || __builtin_add_overflow(a->purchases, b->purchases, &result.purchases))
		return CRM_HISTORY_OVERFLOW;
	result.days = a->days + b->days - (crm_history_day(a->last) == crm_history_day(b->first));
	result.first = a->first < b->first ? a->first : b->first;
	result.last = a->last > b->last ? a->last : b->last;
	first_day = crm_history_first_day(a);
	if (crm_history_day(b->first) == crm_history_day(a->first))
		first_day += crm_history_first_day(b);
	set_amount(&result.total_low, &result.total_high, total);
	set_amount(&result.first_day_low, &result.first_day_high, first_day);
	*joined = result;
	return CRM_HISTORY_OK;
}

/* What is wrong with a history, or null.  No other history can be stored. */
const char *
crm_history_fault(const CrmHistory *h)
{
	int64_t		span;

	if (h->purchases < 1)
		return "there is no purchase in it";
	if (h->days < 1 || h->days > h->purchases)
		return "the number of days does not fit the number of purchases";
	if (!good_time(h->first) || !good_time(h->last))
		return "a time is infinite or out of range";
	if (h->first > h->last)
		return "the first purchase is after the last";
	if (h->purchases == 1 && h->first != h->last)
		return "a single purchase has two times";
	span = crm_history_day(h->last) - crm_history_day(h->first) + 1;
	if (h->days > span || (h->days == 1) != (span == 1))
		return "the number of days does not fit the times";
	if (crm_history_total(h) < 0 || crm_history_total(h) > CRM_TOTAL_MAX)
		return "the total is out of range";
	if (crm_history_first_day(h) < 0 || crm_history_first_day(h) > crm_history_total(h))
		return "the first day's amount does not fit the total";
	if (h->days == 1 && crm_history_first_day(h) != crm_history_total(h))
		return "the only day's amount is not the total";
	/* each day has a purchase, the others may be on any */
	if (crm_history_first_day(h) > (CrmAmount) CRM_AMOUNT_MAX * (h->purchases - h->days + 1) ||
		crm_history_total(h) - crm_history_first_day(h) > (CrmAmount) CRM_AMOUNT_MAX * (h->days == 1 ? 0 : h->purchases - 1) ||
		crm_history_total(h) > (CrmAmount) CRM_AMOUNT_MAX * h->purchases)
		return "the amounts do not fit the number of purchases";
	return NULL;
}

#define COMPARE(x, y) if ((x) != (y)) return (x) < (y) ? -1 : 1

/* A total order: by first purchase, last purchase, and then the counts and sums. */
int
crm_history_compare(const CrmHistory *a, const CrmHistory *b)
{
	COMPARE(a->first, b->first);
	COMPARE(a->last, b->last);
	COMPARE(a->purchases, b->purchases);
	COMPARE(a->days, b->days);
	COMPARE(crm_history_total(a), crm_history_total(b));
	COMPARE(crm_history_first_day(a), crm_history_first_day(b));
	return 0;
}
