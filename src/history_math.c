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
 * While purchases are being added up they are kept one by one, since only that
 * tells on how many days they were.
 *
 *-------------------------------------------------------------------------
 */
#include "history_math.h"

#include <math.h>
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
 * A double as an amount, rounded to millionths, halves away from zero.  The
 * rounding is that of the decimal number which the double stands for as long
 * as it has up to 15 significant digits: 29.33 is 29330000 millionths.
 */
CrmHistoryStatus
crm_amount_from_double(double value, int64_t *amount)
{
	if (!(value >= 0) || !(value <= (double) (CRM_AMOUNT_MAX / CRM_AMOUNT_SCALE)))
		return CRM_HISTORY_BAD_AMOUNT;
	*amount = (int64_t) round(value * CRM_AMOUNT_SCALE);
	return CRM_HISTORY_OK;
}

/*
 * Reads digits with at most six decimals.  Returns null, or what is wrong with
 * the text; *end is where the number ends.
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
			return "an amount is out of range";
		value = value * 10 + (*text - '0');
		digits++;
	}
	if (digits == 0 || (point && decimals == 0))
		return "an amount is not a number";
	for (; decimals < 6; decimals++)
	{
		if (value > CRM_TOTAL_MAX / 10)
			return "an amount is out of range";
		value *= 10;
	}
	if (value > CRM_TOTAL_MAX)
		return "an amount is out of range";
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

static int
compare_purchases(const void *a, const void *b)
{
	int64_t		x = ((const CrmPurchase *) a)->at;
	int64_t		y = ((const CrmPurchase *) b)->at;

	return (x > y) - (x < y);
}

/* Few purchases, as most customers have, are sorted without calls. */
static void
sort_purchases(CrmPurchase *purchases, int64_t n)
{
	if (n > 24)
	{
		qsort(purchases, n, sizeof(CrmPurchase), compare_purchases);
		return;
	}
	for (int64_t i = 1; i < n; i++)
	{
		CrmPurchase purchase = purchases[i];
		int64_t		j = i;

		for (; j > 0 && purchases[j - 1].at > purchase.at; j--)
			purchases[j] = purchases[j - 1];
		purchases[j] = purchase;
	}
}

/*
 * The history of n purchases, at least one, each checked.  The array is sorted
 * by time; when it is already, as purchases usually come, it is only read.
 */
CrmHistoryStatus
crm_history_of(CrmPurchase *purchases, int64_t n, CrmHistory *history)
{
	CrmAmount	total = 0,
				first_day = 0;
	int64_t		first = 0,
				day = 0;

	for (int64_t i = 1; i < n; i++)
		if (purchases[i - 1].at > purchases[i].at)
		{
			sort_purchases(purchases, n);
			break;
		}

	history->purchases = n;
	history->days = 0;
	history->first = purchases[0].at;
	history->last = purchases[n - 1].at;
	for (int64_t i = 0; i < n; i++)
	{
		int64_t		this_day = crm_history_day(purchases[i].at);

		if (i == 0)
			first = this_day;
		if (i == 0 || this_day != day)
			history->days++;
		day = this_day;
		total += purchases[i].amount;
		if (day == first)
			first_day = total;
	}
	if (total > CRM_TOTAL_MAX)
		return CRM_HISTORY_OVERFLOW;
	set_amount(&history->total_low, &history->total_high, total);
	set_amount(&history->first_day_low, &history->first_day_high, first_day);
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
	if (crm_history_total(h) / CRM_AMOUNT_MAX > h->purchases)
		return "the total does not fit the number of purchases";
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
