/* build: src/history_math.c -lm */
/*
 * Unit tests of history_math.c: histories against a brute-force count, joins
 * and combined states against the whole, amounts against their text, doubles
 * against decimals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_math.h"
#include "tap.h"

static int64_t
between(int64_t low, int64_t high)
{
	return low + (int64_t) (random_bits() % (uint64_t) (high - low + 1));
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

/* Blocks that grow only when the state says so, as in the server. */
static CrmHistoryState *
grow(CrmHistoryState *state, int64_t *room, int64_t least)
{
	while (*room < least)
		*room = *room * 2 + 1;
	return realloc(state, CRM_HISTORY_STATE_SIZE(*room));
}

/* The state of n purchases in the order given, from a block of one day on. */
static CrmHistoryState *
state_of(const CrmPurchase *p, int64_t n, int64_t *room)
{
	CrmHistoryState *state = calloc(1, CRM_HISTORY_STATE_SIZE(1));

	*room = 1;
	crm_history_begin(state, &p[0]);
	for (int64_t i = 1; i < n; i++)
		if (crm_history_append(state, *room, &p[i]) == CRM_HISTORY_FULL)
		{
			state = grow(state, room, 2 * (int64_t) state->count);
			i--;
		}
	return state;
}

static CrmHistoryStatus
finish(const CrmHistoryState *state, CrmHistory *history)
{
	int32_t    *scratch = malloc(state->count * sizeof(int32_t));
	CrmHistoryStatus status = crm_history_finish(state, scratch, history);

	free(scratch);
	return status;
}

static CrmHistoryStatus
history_of(const CrmPurchase *p, int64_t n, CrmHistory *history)
{
	int64_t		room;
	CrmHistoryState *state = state_of(p, n, &room);
	CrmHistoryStatus status = crm_history_state_good(state, CRM_HISTORY_STATE_SIZE(room)) &&
		crm_history_state_plausible(state) ? finish(state, history) : CRM_HISTORY_BAD_STATE;

	free(state);
	return status;
}

/* Two parts, each in its own state, put together; the sum of no part is lost. */
static CrmHistoryStatus
combined(const CrmPurchase *p, int64_t split, int64_t n, CrmHistory *history)
{
	int64_t		room,
				other_room;
	CrmHistoryState *state = state_of(p, split, &room);
	CrmHistoryState *other = state_of(p + split, n - split, &other_room);
	CrmHistoryStatus status = crm_history_combine(state, room, other);

	if (status == CRM_HISTORY_FULL)
	{
		state = grow(state, &room, state->count + other->count);
		status = crm_history_combine(state, room, other);
	}
	if (status == CRM_HISTORY_OK)
		status = crm_history_state_plausible(state) ? finish(state, history) : CRM_HISTORY_BAD_STATE;
	free(state);
	free(other);
	return status;
}

static int
by_time(const void *a, const void *b)
{
	int64_t		x = ((const CrmPurchase *) a)->at;
	int64_t		y = ((const CrmPurchase *) b)->at;

	return (x > y) - (x < y);
}

/* The amount of a plain decimal by its text, without a double. */
static int64_t
decimal_amount(const char *text)
{
	int64_t		amount = 0;
	int			decimals = -1;

	for (; *text; text++)
		if (*text == '.')
			decimals = 0;
		else if (decimals < 6)
		{
			amount = amount * 10 + (*text - '0');
			decimals += decimals >= 0;
		}
		else
			return amount + (*text >= '5');
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 6; decimals++)
		amount *= 10;
	return amount;
}

int
main(void)
{
	CrmPurchase p[400],
				copy[400];
	CrmHistory	whole,
				a,
				b,
				joined,
				reverse;
	bool		good = true,
				combines = true,
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
		int			n = (int) between(1, round % 500 == 0 ? 400 : round % 50 == 0 ? 60 : 12);
		int64_t		origin = between(-200000, 200000) * CRM_USECS_PER_DAY;
		int64_t		span = between(1, round % 1000 == 0 ? 2000 : 20) * CRM_USECS_PER_DAY / (round % 3 + 1);
		int			split = (int) between(1, n);

		for (int i = 0; i < n; i++)
		{
			p[i].at = origin + between(0, span);
			p[i].amount = between(0, 3) == 0 ? 0 : between(0, CRM_AMOUNT_MAX);
		}
		memcpy(copy, p, sizeof(p));
		good &= history_of(copy, n, &whole) == CRM_HISTORY_OK && matches(p, n, &whole);
		qsort(copy, n, sizeof(CrmPurchase), by_time);
		good &= history_of(copy, n, &a) == CRM_HISTORY_OK && memcmp(&a, &whole, sizeof(a)) == 0;
		if (split < n)
			combines &= combined(p, split, n, &a) == CRM_HISTORY_OK && memcmp(&a, &whole, sizeof(a)) == 0 &&
				combined(copy, split, n, &a) == CRM_HISTORY_OK && memcmp(&a, &whole, sizeof(a)) == 0;
		faultless &= crm_history_fault(&whole) == NULL;
		/* copy is sorted now: split it in time */
		if (split < n)
		{
			CrmPurchase parts[400];
			CrmHistoryStatus status;

			memcpy(parts, copy, sizeof(parts));
			history_of(parts, split, &a);
			history_of(parts + split, n - split, &b);
			status = crm_history_join(&a, &b, &joined);
			joins &= status == CRM_HISTORY_OK && crm_history_join(&b, &a, &reverse) == CRM_HISTORY_OK &&
				memcmp(&joined, &whole, sizeof(whole)) == 0 && memcmp(&reverse, &whole, sizeof(whole)) == 0;
			joined_pairs++;
			/* unsorted halves: joined rightly or refused, never wrong */
			memcpy(parts, p, sizeof(parts));
			history_of(parts, split, &a);
			history_of(parts + split, n - split, &b);
			status = crm_history_join(&a, &b, &joined);
			refuses &= status == CRM_HISTORY_INTERLEAVED ||
				(status == CRM_HISTORY_OK && memcmp(&joined, &whole, sizeof(whole)) == 0);
		}
	}
	ok(good, "20,000 random histories equal a brute-force count, in any order of the purchases");
	ok(combines, "the states of two parts, in order or not, combine to the whole");
	ok(faultless, "none of them is refused as faulty");
	ok(joins && joined_pairs > 10000, "histories split in time join to the whole, from either side");
	ok(refuses, "histories split at random join to the whole or are refused");

	{
		bool		round_trip = true;

		for (int i = 0; i < 100000; i++)
		{
			CrmAmount	value = (CrmAmount) (random_bits() >> (random_bits() % 60)) * (CrmAmount) between(1, 1000000);

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
	{
		static const int lengths[] = {3, 6, 8, 10, 12, 13};
		bool		same = true;
		int			halves = 0;

		for (int i = 0; i < 400000; i++)
		{
			/* up to 15 digits, of which a double keeps each; every fifth ends in a half */
			int			whole_digits = lengths[i % 6];
			int			decimals = (int) between(0, 15 - whole_digits);
			int64_t		units = between(0, 9);

			for (int d = 1; d < whole_digits; d++)
				units = units * 10 + between(0, 9);
			if (units >= INT64_C(9000000000000))
				units -= INT64_C(1000000000000);
			sprintf(text, "%lld", (long long) units);
			if (decimals > 0)
				strcat(text, ".");
			for (int d = 0; d < decimals; d++)
				sprintf(text + strlen(text), "%d", i % 5 == 0 && d >= 6 ? (d == 6 ? 5 : 0) : (int) between(0, 9));
			halves += i % 5 == 0 && decimals > 6;
			same &= crm_amount_from_double(strtod(text, NULL), &rounded) == CRM_HISTORY_OK &&
				rounded == decimal_amount(text);
		}
		ok(same && halves > 10000, "a double of up to 15 digits is the amount of its decimal, halves and great ones included");
		/* some of these digits a double does not have: rounding the product goes wrong here */
		ok(crm_amount_from_double(0.0000005, &rounded) == CRM_HISTORY_OK && rounded == 1 &&
		   crm_amount_from_double(0.00000049999, &rounded) == CRM_HISTORY_OK && rounded == 0 &&
		   crm_amount_from_double(1.0000005, &rounded) == CRM_HISTORY_OK && rounded == 1000001 &&
		   crm_amount_from_double(8999999999999.01, &rounded) == CRM_HISTORY_OK && rounded == INT64_C(8999999999999010000) &&
		   crm_amount_from_double(9e12, &rounded) == CRM_HISTORY_OK && rounded == CRM_AMOUNT_MAX &&
		   crm_amount_from_double(-0.0, &rounded) == CRM_HISTORY_OK && rounded == 0 &&
		   crm_amount_from_double(5e-324, &rounded) == CRM_HISTORY_OK && rounded == 0, "halves, the greatest and the smallest double");
	}
	{
		static const int16_t half[] = {1, 49, 9950};	/* 1.00499950 */
		static const int16_t most[] = {9, 0, 0, 0};

		ok(crm_amount_from_base10000(half, 3, 0, false, &rounded) == CRM_HISTORY_OK && rounded == 1005000 &&
		   crm_amount_from_base10000(half + 2, 1, -2, false, &rounded) == CRM_HISTORY_OK && rounded == 100 &&
		   crm_amount_from_base10000(half + 2, 1, -3, false, &rounded) == CRM_HISTORY_OK && rounded == 0 &&
		   crm_amount_from_base10000(half, 0, 0, false, &rounded) == CRM_HISTORY_OK && rounded == 0 &&
		   crm_amount_from_base10000(half, 1, 2, false, &rounded) == CRM_HISTORY_OK && rounded == INT64_C(100000000000000) &&
		   crm_amount_from_base10000(most, 4, 3, false, &rounded) == CRM_HISTORY_OK && rounded == CRM_AMOUNT_MAX,
		   "digits of base 10000, wherever their point is");
		ok(crm_amount_from_base10000(half, 3, 4, false, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
		   crm_amount_from_base10000(half, 3, 32767, false, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
		   crm_amount_from_base10000(half + 1, 2, 3, false, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
		   crm_amount_from_base10000(half, 3, -1, true, &rounded) == CRM_HISTORY_BAD_AMOUNT,
		   "too great and negative ones are refused");
	}
	ok(crm_amount_from_double(-1, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(0.0 / 0.0, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(1.0 / 0.0, &rounded) == CRM_HISTORY_BAD_AMOUNT &&
	   crm_amount_from_double(1e13, &rounded) == CRM_HISTORY_BAD_AMOUNT, "negative, infinite, no number and too great: refused");

	/* Every field of a good history, bent: refused. */
	p[0].at = 0, p[0].amount = 5;
	p[1].at = 3 * CRM_USECS_PER_DAY, p[1].amount = 7;
	p[2].at = 3 * CRM_USECS_PER_DAY + 1, p[2].amount = 0;
	history_of(p, 3, &whole);
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
	BENT(days, 4294967296, "days beyond the calendar");
	BENT(first_day_low, 13, "a first day above the total");
	BENT(first_day_high, -1, "a negative first day");

	/* Amounts that so few purchases cannot have: one too many on the first day, and on the others. */
	for (int i = 0; i < 3; i++)
		p[i].amount = CRM_AMOUNT_MAX;
	history_of(p, 3, &whole);
	ok(crm_history_fault(&whole) == NULL, "a history of the greatest amounts");
	BENT(total_low, whole.total_low + 1, "a total too great for three purchases");
	BENT(first_day_low, 2 * (uint64_t) CRM_AMOUNT_MAX + 1, "a first day too great for two purchases");
	p[0].amount = 0;
	history_of(p, 3, &whole);
	BENT(total_low, whole.total_low + 1, "a rest too great for two purchases");

	/* States bent: not read, not plausible, or without a result; never a false history. */
	{
		int64_t		room;
		CrmHistoryState *state;
		CrmHistoryState saved;
		bool		held = true;
		int			refused = 0;

		for (int i = 0; i < 40; i++)
		{
			p[i].at = between(0, 400 * CRM_USECS_PER_DAY);
			p[i].amount = between(0, 100);
		}
		state = state_of(p, 40, &room);
		saved = *state;
		for (int i = 0; i < 200000; i++)
		{
			unsigned char *bytes = (unsigned char *) state;
			size_t		at = between(offsetof(CrmHistoryState, format), CRM_HISTORY_STATE_SIZE(saved.count) - 1);
			unsigned char old = bytes[at];

			bytes[at] = (unsigned char) random_bits();
			if (!crm_history_state_good(state, CRM_HISTORY_STATE_SIZE(room)) || finish(state, &a) != CRM_HISTORY_OK)
				refused++;
			else
				held &= crm_history_fault(&a) == NULL;
			bytes[at] = old;
		}
		ok(held && refused > 1000, "a spoiled state gives a faultless history or none");
		ok(finish(state, &a) == CRM_HISTORY_OK && matches(p, 40, &a), "finishing leaves the state as it is");
		ok(!crm_history_state_good(state, CRM_HISTORY_STATE_SIZE(1) - 1) &&
		   !crm_history_state_good(state, CRM_HISTORY_STATE_SIZE(saved.count - 1)), "a state cut short is not read");
		free(state);
	}

	/* A million purchases on few days need the room of the days. */
	{
		int64_t		room;
		CrmHistoryState *state = state_of(&p[0], 1, &room);
		CrmPurchase purchase = {0, 1};

		for (int i = 0; i < 1000000; i++)
		{
			purchase.at = between(0, 99) * CRM_USECS_PER_DAY;
			if (crm_history_append(state, room, &purchase) == CRM_HISTORY_FULL)
			{
				state = grow(state, &room, 2 * (int64_t) state->count);
				i--;
			}
		}
		ok(finish(state, &a) == CRM_HISTORY_OK && a.purchases == 1000001 && room < 512, "a million purchases on a hundred days need the room of days");
		free(state);
	}

	return done_testing();
}
