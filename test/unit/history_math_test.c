/* build: src/history_math.c -lm */
/*
 * Unit tests of history_math.c: histories against a brute-force count, joins
 * against the whole, amounts against their text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_math.h"

static int	tests = 0,
			failures = 0;

static void
ok(bool passed, const char *what)
{
	printf("%s %d - %s\n", passed ? "ok" : "not ok", ++tests, what);
	failures += !passed;
}

/* xorshift: the same numbers everywhere */
static uint64_t seed = 88172645463325252ULL;

static uint64_t
next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int64_t
between(int64_t low, int64_t high)
{
	return low + (int64_t) (next() % (uint64_t) (high - low + 1));
}

/* Days are counted without sorting: one for each purchase that is the first of its day. */
static bool
matches(const CrmPurchase *p, int n, const CrmHistory *h)
{
	int			days = 0;
	int64_t		first = p[0].at,
				last = p[0].at;
	CrmAmount	total = 0,
				first_day = 0;

	for (int i = 0; i < n; i++)
	{
		bool		seen = false;

		for (int j = 0; j < i && !seen; j++)
			seen = crm_history_day(p[j].at) == crm_history_day(p[i].at);
		days += !seen;
		first = p[i].at < first ? p[i].at : first;
		last = p[i].at > last ? p[i].at : last;
		total += p[i].amount;
	}
	for (int i = 0; i < n; i++)
		if (crm_history_day(p[i].at) == crm_history_day(first))
			first_day += p[i].amount;
	return h->purchases == n && h->days == days && h->first == first && h->last == last &&
		crm_history_total(h) == total && crm_history_first_day(h) == first_day;
}

int
main(void)
{
	CrmPurchase p[60],
				copy[60];
	CrmHistory	whole,
				a,
				b,
				joined,
				reverse;
	bool		good = true,
				faultless = true,
				joins = true,
				refuses = true;
	int			joined_pairs = 0;
	CrmAmount	amount;
	int64_t		rounded;
	const char *end;
	char		text[CRM_AMOUNT_TEXT_SIZE];

	for (int round = 0; round < 20000; round++)
	{
		int			n = (int) between(1, round % 50 == 0 ? 60 : 12);
		int64_t		origin = between(-200000, 200000) * CRM_USECS_PER_DAY;
		int64_t		span = between(1, 20) * CRM_USECS_PER_DAY / (round % 3 + 1);
		int			split = (int) between(1, n);

		for (int i = 0; i < n; i++)
		{
			p[i].at = origin + between(0, span);
			p[i].amount = between(0, 3) == 0 ? 0 : between(0, CRM_AMOUNT_MAX);
		}
		memcpy(copy, p, sizeof(p));
		good &= crm_history_of(copy, n, &whole) == CRM_HISTORY_OK && matches(p, n, &whole);
		faultless &= crm_history_fault(&whole) == NULL;
		/* copy is sorted now: split it in time */
		if (split < n)
		{
			CrmPurchase parts[60];
			CrmHistoryStatus status;

			memcpy(parts, copy, sizeof(parts));
			crm_history_of(parts, split, &a);
			crm_history_of(parts + split, n - split, &b);
			status = crm_history_join(&a, &b, &joined);
			joins &= status == CRM_HISTORY_OK && crm_history_join(&b, &a, &reverse) == CRM_HISTORY_OK &&
				memcmp(&joined, &whole, sizeof(whole)) == 0 && memcmp(&reverse, &whole, sizeof(whole)) == 0;
			joined_pairs++;
			/* unsorted halves: joined rightly or refused, never wrong */
			memcpy(parts, p, sizeof(parts));
			crm_history_of(parts, split, &a);
			crm_history_of(parts + split, n - split, &b);
			status = crm_history_join(&a, &b, &joined);
			refuses &= status == CRM_HISTORY_INTERLEAVED ||
				(status == CRM_HISTORY_OK && memcmp(&joined, &whole, sizeof(whole)) == 0);
		}
	}
	ok(good, "20,000 random histories equal a brute-force count, in any order of the purchases");
	ok(faultless, "none of them is refused as faulty");
	ok(joins && joined_pairs > 10000, "histories split in time join to the whole, from either side");
	ok(refuses, "histories split at random join to the whole or are refused");

	{
		bool		round_trip = true;

		for (int i = 0; i < 100000; i++)
		{
			CrmAmount	value = (CrmAmount) (next() >> (next() % 60)) * (CrmAmount) between(1, 1000000);

			if (value > CRM_TOTAL_MAX)
				continue;
			crm_amount_print(value, text);
			round_trip &= crm_amount_parse(text, &end, &amount) == NULL && *end == '\0' && amount == value;
		}
		ok(round_trip, "amounts survive their text");
	}
	crm_amount_print(CRM_TOTAL_MAX, text);
	ok(strlen(text) < CRM_AMOUNT_TEXT_SIZE && crm_amount_parse(text, &end, &amount) == NULL && amount == CRM_TOTAL_MAX,
	   "the greatest total has a text");
	ok(crm_amount_parse("9999999999999999999999999999999999999999", &end, &amount) != NULL, "an amount beyond the range is refused");
	ok(crm_amount_parse("1.1234567", &end, &amount) != NULL, "seven decimals are refused");
	ok(crm_amount_parse(".", &end, &amount) != NULL && crm_amount_parse("", &end, &amount) != NULL &&
	   crm_amount_parse("1.", &end, &amount) != NULL, "what is not a number is refused");

	{
		bool		exact = true;

		for (int64_t cents = 0; cents < 2000000; cents += 7)
		{
			exact &= crm_amount_from_double(cents / 100.0, &rounded) == CRM_HISTORY_OK && rounded == cents * 10000;
			exact &= crm_amount_from_double((cents + 500000000000LL) / 100.0, &rounded) == CRM_HISTORY_OK &&
				rounded == (cents + 500000000000LL) * 10000;
		}
		ok(exact, "a double that stands for cents is read as those cents");
	}
	ok(crm_amount_from_double(-1, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(0.0 / 0.0, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(1.0 / 0.0, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(1e13, &rounded) == CRM_HISTORY_BAD_AMOUNT, "negative, infinite, no number and too great: refused");

	/* Every field of a good history, bent: refused. */
	p[0].at = 0, p[0].amount = 5;
	p[1].at = 3 * CRM_USECS_PER_DAY, p[1].amount = 7;
	p[2].at = 3 * CRM_USECS_PER_DAY + 1, p[2].amount = 0;
	crm_history_of(p, 3, &whole);
	ok(whole.days == 2 && crm_history_fault(&whole) == NULL, "a history of three purchases on two days");
#define BENT(field, value, what) (a = whole, a.field = (value), ok(crm_history_fault(&a) != NULL, what))
	BENT(purchases, 0, "no purchases");
	BENT(purchases, 1, "fewer purchases than days");
	BENT(days, 0, "no days");
	BENT(days, 1, "one day that lasts for days");
	BENT(days, 4, "more days than purchases");
	BENT(first, INT64_MIN, "first at minus infinity");
	BENT(last, INT64_MAX, "last at infinity");
	BENT(first, whole.last + 1, "first after last");
	BENT(last, 5, "two days within one");
	BENT(total_high, -1, "a negative total");
	BENT(total_high, INT64_MAX, "a total beyond the range");
	BENT(first_day_low, 13, "a first day above the total");
	BENT(first_day_high, -1, "a negative first day");

	printf("1..%d\n", tests);
	return failures > 0;
}
