/* build: src/channel_math.c */
/*
 * The arithmetic of crm.channel_score: exact in any order, split and undo, over
 * the whole calendar; right in value; strict in what it reads.
 */
#include "channel_math.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY		INT64_C(86400000000)

static int64_t
between(int64_t low, int64_t high)
{
	double		v = (double) low + uniform() * ((double) high - (double) low);

	return v >= (double) high ? high : (int64_t) v < low ? low : (int64_t) v;
}

/* A score with its own storage. */
typedef struct Score
{
	unsigned char *bytes;
	int			cells;
} Score;

static Score
empty(int64_t half_life)
{
	Score		s = {malloc(CRM_SCORE_SIZE(0)), 0};

	crm_score_start(s.bytes, half_life, 0, 0);
	return s;
}

static Score
one(double success, double failure, int64_t at, int64_t half_life)
{
	Score		s = {malloc(CRM_SCORE_SIZE(1)), 0};

	if (crm_score_event(success, failure, at, half_life, s.bytes, &s.cells) != CRM_SCORE_OK)
		abort();
	return s;
}

/* *a becomes *a + b or *a - b; the way an aggregate does it if in_place. */
static CrmScoreStatus
move(Score *a, Score b, int sign, bool in_place)
{
	Score		r;
	CrmScoreStatus status;

	if (sign > 0 && in_place)
	{
		status = crm_score_add_in_place(a->bytes, a->cells, b.bytes, b.cells);
		if (status != CRM_SCORE_GROW)
			return status;
	}
	r.bytes = malloc(CRM_SCORE_SIZE(a->cells + b.cells));
	if (sign > 0)
		status = crm_score_add(a->bytes, a->cells, b.bytes, b.cells, r.bytes, &r.cells);
	else
		status = crm_score_subtract(a->bytes, a->cells, b.bytes, b.cells, r.bytes, &r.cells);
	if (status == CRM_SCORE_OK)
	{
		free(a->bytes);
		*a = r;
	}
	else
		free(r.bytes);
	return status;
}

static bool
same(Score a, Score b)
{
	return a.cells == b.cells && memcmp(a.bytes, b.bytes, CRM_SCORE_SIZE(a.cells)) == 0 &&
		crm_score_compare(a.bytes, a.cells, b.bytes, b.cells) == 0;
}

typedef struct Event
{
	double		success,
				failure;
	int64_t		at;
} Event;

static void
shuffle(Event *e, int n)
{
	for (int i = n - 1; i > 0; i--)
	{
		int			j = (int) (random_bits() % (uint64_t) (i + 1));
		Event		t = e[i];

		e[i] = e[j];
		e[j] = t;
	}
}

static Score
sum_of(const Event *e, int n, int64_t half_life, bool in_place)
{
	Score		s = empty(half_life);

	for (int i = 0; i < n; i++)
	{
		Score		o = one(e[i].success, e[i].failure, e[i].at, half_life);

		if (move(&s, o, 1, in_place) != CRM_SCORE_OK)
			abort();
		free(o.bytes);
	}
	return s;
}

static double
random_weight(void)
{
	switch (random_bits() % 6)
	{
		case 0:
			return 0;
		case 1:
			return uniform();
		case 2:
			return uniform() * CRM_WEIGHT_MAX;
		default:
			return 1;
	}
}

/*
 * Property: any order, split, in place or not, and undo in any order give the
 * same bytes.  The span goes from days to the whole calendar.
 */
static bool
orders_agree(int n, int64_t low, int64_t high, int64_t half_life)
{
	Event	   *e = malloc(sizeof(Event) * (size_t) n);
	Score		all,
				other,
				left,
				right,
				kept,
				nothing = empty(half_life);
	int			cut = (int) (random_bits() % (uint64_t) n);
	int64_t		from_low = low,
				width = (int64_t) (((double) high - (double) low) * pow(uniform(), 3));
	bool		good;

	from_low = between(low, high - width);
	for (int i = 0; i < n; i++)
	{
		e[i].success = random_weight();
		e[i].failure = random_weight();
		e[i].at = between(from_low, from_low + width);
	}
	all = sum_of(e, n, half_life, true);
	good = crm_score_fault(all.bytes, CRM_SCORE_SIZE(all.cells)) == NULL;
	shuffle(e, n);
	other = sum_of(e, n, half_life, false);
	good &= same(all, other);
	free(other.bytes);
	left = sum_of(e, cut, half_life, true);
	right = sum_of(e + cut, n - cut, half_life, true);
	other = sum_of(e, cut, half_life, false);
	good &= move(&left, right, 1, true) == CRM_SCORE_OK && same(left, all);
	good &= move(&left, right, -1, false) == CRM_SCORE_OK && same(left, other);
	free(left.bytes);
	free(right.bytes);
	free(other.bytes);

	/* Undo all but one, then that one as well. */
	shuffle(e, n);
	kept = one(e[n - 1].success, e[n - 1].failure, e[n - 1].at, half_life);
	for (int i = 0; i < n; i++)
	{
		Score		o = one(e[i].success, e[i].failure, e[i].at, half_life);

		if (i == n - 1)
			good &= same(all, kept);
		good &= move(&all, o, -1, false) == CRM_SCORE_OK;
		good &= crm_score_fault(all.bytes, CRM_SCORE_SIZE(all.cells)) == NULL;
		free(o.bytes);
	}
	good &= same(all, nothing);
	free(kept.bytes);
	free(nothing.bytes);
	free(all.bytes);
	free(e);
	return good;
}

static void
test_orders(void)
{
	bool		good = true;
	int64_t		year = 365 * DAY;

	for (int i = 0; i < 300; i++)
	{
		int64_t		half_life = (int64_t) ((double) DAY * pow(3650, uniform()));

		good &= orders_agree(100, -200 * year, 200 * year, half_life);
	}
	ok(good, "centuries, half-lives of a day to ten years: order, split and undo are exact");
	good = true;
	for (int i = 0; i < 30; i++)
		good &= orders_agree(300, CRM_TIME_MIN, CRM_TIME_END - 1, (int64_t) ((double) DAY * pow(3650, uniform())));
	ok(good, "the whole calendar: order, split and undo are exact");
	ok(orders_agree(4000, 0, 40 * 364 * DAY, 364 * DAY), "forty half-lives, 4,000 observations");
	ok(orders_agree(1000, 0, 50 * year, DAY), "fifty years at a half-life of a day");
}

/*
 * The value is the sum of weights times 2^-((T - t)/h) to 1e-11, and exactly
 * the weight at the observation's own time.
 */
static void
test_values(void)
{
	double		worst = 0;
	bool		own = true;

	for (int i = 0; i < 200; i++)
	{
		int64_t		half_life = (int64_t) ((double) DAY * pow(3650, uniform()));
		int64_t		start = between(-9000 * DAY, 9000 * DAY);
		int64_t		at = start + between(0, 30 * half_life);
		Score		s = empty(half_life);
		long double successes = 0,
					failures = 0;
		double		got_s,
					got_f;

		for (int j = 0; j < 50; j++)
		{
			int64_t		t = start + between(0, at - start);
			long double g = exp2l(-(long double) (at - t) / half_life);
			bool		success = random_bits() & 1;
			Score		o = one(success, !success, t, half_life);

			successes += success ? g : 0;
			failures += success ? 0 : g;
			crm_score_value(o.bytes, o.cells, t, &got_s, &got_f);
			own &= got_s == success && got_f == !success;
			if (move(&s, o, 1, true) != CRM_SCORE_OK)
				abort();
			free(o.bytes);
		}
		crm_score_value(s.bytes, s.cells, at, &got_s, &got_f);
		worst = fmax(worst, fabs((double) ((got_s - successes) / (successes + 1e-30L))));
		worst = fmax(worst, fabs((double) ((got_f - failures) / (failures + 1e-30L))));
		free(s.bytes);
	}
	printf("# greatest relative error %.3g\n", worst);
	ok(worst < 1e-11, "values agree with long double");
	ok(own, "an observation of weight 1 is worth exactly 1 at its own time");

	{
		Score		s = one(3, 0.25, 0, 7 * DAY);
		double		a,
					b;

		crm_score_value(s.bytes, s.cells, 7 * DAY, &a, &b);
		ok(a == 1.5 && b == 0.125, "after one half-life exactly half");
		crm_score_value(s.bytes, s.cells, -14 * DAY, &a, &b);
		ok(a == 12 && b == 1, "two half-lives before, four times as much");
		crm_score_value(s.bytes, s.cells, CRM_TIME_END - 1, &a, &b);
		ok(a == 0 && b == 0, "after 100,000 years nothing");
		ok(crm_score_value(s.bytes, s.cells, CRM_TIME_MIN, &a, &b) == CRM_SCORE_OVERFLOW,
			  "thousands of half-lives before: refused, not infinite");
		ok(crm_score_value(s.bytes, s.cells, INT64_MAX, &a, &b) == CRM_SCORE_BAD_TIME, "not at infinity");
		free(s.bytes);
	}
}

static void
test_limits(void)
{
	unsigned char b[CRM_SCORE_SIZE(1)];
	int			n;
	Score		s,
				t;
	bool		good = true;
	int64_t		times[] = {CRM_TIME_MIN, CRM_TIME_MIN + 1, -1, 0, 1, CRM_TIME_END - 1};
	int64_t		half_lives[] = {CRM_HALF_LIFE_MIN, DAY, 182 * DAY, 3652 * DAY, CRM_HALF_LIFE_MAX};

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 5; j++)
			good &= crm_score_event(CRM_WEIGHT_MAX, 1e-6, times[i], half_lives[j], b, &n) == CRM_SCORE_OK &&
				n == 1 && crm_score_fault(b, CRM_SCORE_SIZE(1)) == NULL;
	ok(good, "every finite time is accepted with every half-life");
	ok(crm_score_event(1, 0, INT64_MAX, DAY, b, &n) == CRM_SCORE_BAD_TIME &&
		  crm_score_event(1, 0, INT64_MIN, DAY, b, &n) == CRM_SCORE_BAD_TIME, "infinite times are refused");
	ok(crm_score_event(-1e-300, 0, 0, DAY, b, &n) == CRM_SCORE_BAD_WEIGHT &&
		  crm_score_event(0, NAN, 0, DAY, b, &n) == CRM_SCORE_BAD_WEIGHT &&
		  crm_score_event(INFINITY, 0, 0, DAY, b, &n) == CRM_SCORE_BAD_WEIGHT &&
		  crm_score_event(0, 1000000.1, 0, DAY, b, &n) == CRM_SCORE_BAD_WEIGHT, "bad weights are refused");
	ok(crm_score_event(1, 0, 0, CRM_HALF_LIFE_MIN - 1, b, &n) == CRM_SCORE_BAD_HALF_LIFE &&
		  crm_score_event(1, 0, 0, CRM_HALF_LIFE_MAX + 1, b, &n) == CRM_SCORE_BAD_HALF_LIFE &&
		  crm_score_event(1, 0, 0, 0, b, &n) == CRM_SCORE_BAD_HALF_LIFE &&
		  crm_score_event(1, 0, 0, -DAY, b, &n) == CRM_SCORE_BAD_HALF_LIFE, "bad half-lives are refused");
	ok(crm_score_event(0, -0.0, 0, DAY, b, &n) == CRM_SCORE_OK && n == 0 &&
		  crm_score_successes(b) == 0 && crm_score_failures(b) == 0, "weights of nothing are no observation");

	s = one(1, 0, 0, DAY);
	t = one(1, 0, 0, 2 * DAY);
	ok(move(&s, t, 1, true) == CRM_SCORE_OTHER_HALF_LIFE && move(&s, t, 1, false) == CRM_SCORE_OTHER_HALF_LIFE &&
		  move(&s, t, -1, false) == CRM_SCORE_OTHER_HALF_LIFE, "different half-lives do not mix");
	free(t.bytes);
	t = one(0, 1, 0, DAY);
	ok(move(&s, t, -1, false) == CRM_SCORE_NOT_CONTAINED, "a failure is not undone from a success");
	free(t.bytes);
	t = one(1, 0, 40 * DAY, DAY);
	ok(move(&s, t, -1, false) == CRM_SCORE_NOT_CONTAINED, "nor another time");
	free(t.bytes);
	t = one(2, 0, 0, DAY);
	ok(move(&s, t, -1, false) == CRM_SCORE_NOT_CONTAINED, "nor a greater weight");
	free(t.bytes);
	t = one(0.5, 0, 0, DAY);
	ok(move(&s, t, -1, false) == CRM_SCORE_NOT_CONTAINED, "nor a smaller one, which would leave a weight without observation");
	free(t.bytes);
	t = one(1, 0, 0, DAY);
	crm_score_start(t.bytes, DAY, INT64_MAX, 0);
	ok(move(&t, s, 1, true) == CRM_SCORE_OVERFLOW && move(&t, s, 1, false) == CRM_SCORE_OVERFLOW, "counts do not wrap");
	crm_score_start(t.bytes, DAY, 1, 0);
	crm_score_set_cell(t.bytes, 0, 0, ~(CrmSum) 0, 0);
	ok(move(&t, s, 1, true) == CRM_SCORE_OVERFLOW, "sums do not wrap in place");
	crm_score_set_cell(t.bytes, 0, 0, ~(CrmSum) 0, 0);
	ok(move(&t, s, 1, false) == CRM_SCORE_OVERFLOW, "nor otherwise");
	free(t.bytes);
	free(s.bytes);
}

static bool
reads(const char *text)
{
	unsigned char *bytes = malloc(CRM_SCORE_SIZE(crm_score_parse_bound(text)));
	int			cells;
	bool		good = crm_score_parse(text, bytes, &cells) == NULL;

	if (good)
	{
		/* What was accepted is written, and read, as the same again. */
		char	   *written = malloc(CRM_SCORE_TEXT_SIZE(cells));
		unsigned char *again = malloc(CRM_SCORE_SIZE(cells));
		int			n;

		crm_score_print(bytes, cells, written);
		if (strlen(written) >= CRM_SCORE_TEXT_SIZE(cells) || crm_score_parse(written, again, &n) != NULL ||
			n != cells || memcmp(again, bytes, CRM_SCORE_SIZE(n)) != 0)
			abort();
		free(written);
		free(again);
	}
	free(bytes);
	return good;
}

static void
test_text(void)
{
	static const char *const bad[] = {
		"", " ", "x", "86400", "86400s", "86400s 1/0", "86400s 1/0 [", "86400s 1/0 [0:1/0", "86400s 1/0 [0:1/0]x",
		"s 1/0 [0:1/0]", "-86400s 1/0 [0:1/0]", "86400s -1/0 [0:1/0]", "86400s 1/-1 [0:1/0]",
		"86400s 1/0 []", "86400s 0/0 [0:1/0]", "86400s 1/0 [0:0/0]", "86400s 1/0 [0:1]", "86400s 1/0 [0/1]",
		"86400s 2/0 [1:1/0 0:1/0]", "86400s 2/0 [0:1/0 0:1/0]", "86400s 1/0 [0:1/0 1:1/0]", "86400s 2/0 [0:1/01:1/0]",
		"86400s 1/0 [0:0/1]", "86400s 0/1 [0:1/0]", "3599s 1/0 [0:1/0]", "311040000001s 1/0 [0:1/0]",
		"86400.0000001s 1/0 [0:1/0]", "86400.s 1/0 [0:1/0]", "9999999999999999999999s 1/0 [0:1/0]",
		"86400s 9223372036854775808/0 [0:1/0]", "86400s 9223372036854775807/1 [0:1/1]",
		"86400s 1/0 [0:100000000000000000000000000000000/0]", "86400s 1/0 [0:g/0]", "86400s 1/0 [99999999999:1/0]",
		"86400s 1/0 [6700000:1/0]", "86400s 1/0 [-160000:1/0]", "86400s1/0 [0:1/0]", "1e5s 1/0 [0:1/0]",
		"86400s 1/0 [0:+1/0]", "86400s 1/0 [+0:1/0]", "86400s 1 /0 [0:1/0]", "86400s 1/0 [0:1/0;]"
	};
	bool		good = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (reads(bad[i]))
		{
			printf("# accepted: %s\n", bad[i]);
			good = false;
		}
	ok(good, "malformed texts are refused");
	ok(reads("86400s 1/0 [0:1/0]") && reads("  86400.5s   1/0 [ 0:00AbC/0 ]  ") && reads("3600s 0/0 []") &&
		  reads("311040000000s 9223372036854775807/0 [-1:ffffffffffffffffffffffffffffffff/0]"), "well-formed ones are not");

	/* Random texts that look like scores, and mutations of good ones. */
	{
		const char *alphabet = "0123456789abcdefs/[]: .-";
		int			accepted = 0;

		for (int i = 0; i < 300000; i++)
		{
			char		text[128];
			int			n;

			if (i % 3 == 0)
			{
				n = (int) (random_bits() % 60);
				for (int j = 0; j < n; j++)
					text[j] = random_bits() % 8 ? alphabet[random_bits() % 24] : (char) (1 + random_bits() % 255);
				text[n] = '\0';
			}
			else
			{
				strcpy(text, "31449600s 3/1 [0:1ac3f000000/0 1:7f0000000/3a0000000]");
				n = (int) strlen(text);
				for (int j = (int) (random_bits() % 3); j >= 0; j--)
					text[random_bits() % (uint64_t) n] = alphabet[random_bits() % 24];
			}
			accepted += reads(text);
		}
		printf("# %d of 300,000 accepted\n", accepted);
		ok(accepted > 1000, "random texts are refused or round-trip");
	}

	/* Random bytes as a state. */
	{
		int			accepted = 0;

		for (int i = 0; i < 300000; i++)
		{
			unsigned char b[CRM_SCORE_SIZE(3)];
			size_t		size = random_bits() % sizeof(b);
			Score		s = one(1, 1, between(CRM_TIME_MIN, CRM_TIME_END - 1), DAY);

			for (size_t j = 0; j < sizeof(b); j++)
				b[j] = (unsigned char) random_bits();
			if (i % 2)
			{
				memcpy(b, s.bytes, CRM_SCORE_SIZE(1));
				b[random_bits() % CRM_SCORE_SIZE(1)] ^= (unsigned char) (1 << random_bits() % 8);
				size = CRM_SCORE_SIZE(1);
			}
			accepted += crm_score_fault(b, size) == NULL;
			free(s.bytes);
		}
		printf("# %d of 300,000 accepted\n", accepted);
		ok(accepted > 0, "random bytes are judged without a crash");
	}
}

static void
test_order(void)
{
	bool		good = true;
	Score		s[40];

	for (int i = 0; i < 40; i++)
		s[i] = one(random_bits() % 3, random_bits() % 2 + 1, between(-99 * DAY, 99 * DAY), (int64_t) (1 + random_bits() % 2) * DAY);
	for (int i = 0; i < 40; i++)
		for (int j = 0; j < 40; j++)
		{
			int			ij = crm_score_compare(s[i].bytes, s[i].cells, s[j].bytes, s[j].cells);

			good &= ij == -crm_score_compare(s[j].bytes, s[j].cells, s[i].bytes, s[i].cells);
			good &= (ij == 0) == same(s[i], s[j]);
			for (int k = 0; k < 40; k++)
				if (ij <= 0 && crm_score_compare(s[j].bytes, s[j].cells, s[k].bytes, s[k].cells) <= 0)
					good &= crm_score_compare(s[i].bytes, s[i].cells, s[k].bytes, s[k].cells) <= 0;
		}
	for (int i = 0; i < 40; i++)
		free(s[i].bytes);
	ok(good, "the order is total, and equal means the same bytes");
}

int
main(void)
{
	/* The state does not depend on the platform: one value, computed with rational arithmetic elsewhere. */
	Score		s = one(1, 0, INT64_C(844648163000000), 182 * DAY);
	char		text[CRM_SCORE_TEXT_SIZE(1)];

	crm_score_print(s.bytes, s.cells, text);
	printf("# %s\n", text);
	ok(strcmp(text, "15724800s 1/0 [3:34816b43c3a000000000/0]") == 0, "a known weight");
	free(s.bytes);
	test_values();
	test_orders();
	test_limits();
	test_text();
	test_order();
	return done_testing();
}
