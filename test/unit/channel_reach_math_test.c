/* build: src/channel_reach_math.c -lm */
/*
 * Permitted channels and their ranking: against the rule written out, for
 * options at random in any order.
 */
#include "channel_reach_math.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS 24
#define CHANNELS 4
#define POINTS 3

/* Does a count before b for the same contact point? */
static bool
counts_before(const CrmReachOption *a, const CrmReachOption *b)
{
	if ((a->flags ^ b->flags) & CRM_REACH_OBJECTION)
		return (a->flags & CRM_REACH_OBJECTION) != 0;
	if (a->recorded_at != b->recorded_at)
		return a->recorded_at > b->recorded_at;
	return a->consent > b->consent;
}

/* The option for a channel, or NULL: the rule as it is said. */
static const CrmReachOption *
written_out(const CrmReachOption *options, int n, uint32_t channel)
{
	const CrmReachOption *best = NULL;

	for (int i = 0; i < n; i++)
	{
		const CrmReachOption *decides = &options[i];

		if (options[i].channel != channel)
			continue;
		for (int k = 0; k < n; k++)
			if (options[k].channel == channel && options[k].contact_point == options[i].contact_point && counts_before(&options[k], decides))
				decides = &options[k];
		if ((decides->flags & CRM_REACH_PERMITS) == 0)
			continue;
		if (best == NULL ||
			(decides->flags & CRM_REACH_PRIMARY) > (best->flags & CRM_REACH_PRIMARY) ||
			((decides->flags & CRM_REACH_PRIMARY) == (best->flags & CRM_REACH_PRIMARY) && decides->contact_point < best->contact_point))
			best = decides;
	}
	return best;
}

static int
random_options(CrmReachOption *options)
{
	int			n = random_below(OPTIONS + 1);

	for (int i = 0; i < n; i++)
	{
		CrmReachOption *option = &options[i];

		memset(option, 0, sizeof(*option));
		option->channel = 10 + 7 * random_below(CHANNELS);
		option->contact_point = option->channel * 10 + random_below(POINTS);
		/* A contact point is primary or not, whatever is said of it. */
		option->flags = (option->contact_point % 10 == option->channel % 4 ? CRM_REACH_PRIMARY : 0) | CRM_REACH_ENTRY |
			(random_below(5) == 0 ? CRM_REACH_OBJECTION : 0) | (random_below(2) ? CRM_REACH_PERMITS : 0);
		option->recorded_at = random_below(4);
		option->consent = 1000 * random_below(1000) + i;
		option->successes = random_below(5);
		option->failures = random_below(5);
	}
	return n;
}

static void
test_permitted(void)
{
	bool		same = true,
				any_order = true;
	int			seen[CHANNELS + 1] = {0};

	for (int round = 0; round < 20000; round++)
	{
		CrmReachOption options[OPTIONS + 1],
					given[OPTIONS + 1],
					shuffled[OPTIONS + 1];
		int			n = random_options(options),
					permitted,
					expected = 0;

		memcpy(given, options, sizeof(options));
		memcpy(shuffled, options, sizeof(options));
		for (int i = n - 1; i > 0; i--)
		{
			int			k = random_below(i + 1);
			CrmReachOption other = shuffled[i];

			shuffled[i] = shuffled[k];
			shuffled[k] = other;
		}
		permitted = crm_reach_permitted(options, n);
		any_order = any_order && crm_reach_permitted(shuffled, n) == permitted &&
			memcmp(options, shuffled, permitted * sizeof(CrmReachOption)) == 0;
		for (uint32_t c = 0; c < CHANNELS; c++)
		{
			const CrmReachOption *wanted = written_out(given, n, 10 + 7 * c);

			if (wanted == NULL)
				continue;
			same = same && expected < permitted && memcmp(&options[expected], wanted, sizeof(*wanted)) == 0;
			expected++;
		}
		same = same && expected == permitted;
		seen[permitted]++;
	}
	ok(same, "one option for each channel, as the rule says");
	ok(any_order, "in whatever order they come");
	ok(seen[0] > 100 && seen[1] > 100 && seen[CHANNELS] > 100, "none, one and all channels were met");
}

static void
test_rank(void)
{
	const CrmReachTerm terms[] = {{31, 0, 1, 1, 9}, {10, 1, 0, 1, 9}, {17, 2, 0, 1, 9}};
	CrmReachOption options[4] = {{.channel = 10}, {.channel = 17, .successes = 1}, {.channel = 24, .successes = 9}, {.channel = 31, .successes = 2}};
	CrmReachRank ranks[4];

	ok(crm_reach_rank(options, 4, terms, 3, 60, ranks) == 3, "a channel without a term does not count");
	ok(ranks[0].option == &options[3] && fabs(ranks[0].value - (60 * 3 / 12.0 - 1)) < 1e-12 && ranks[0].term == &terms[0] &&
	   ranks[1].option == &options[1] && fabs(ranks[1].value - 60 * 2 / 11.0) < 1e-12 && ranks[2].option == &options[0],
	   "the most valuable first, after cost");
	options[1].successes = options[3].successes = 0;
	options[3].channel = 17;
	options[1].channel = 10;
	ok(crm_reach_rank(&options[1], 1, terms, 3, 60, ranks) == 1 && crm_reach_rank(&options[0], 1, NULL, 0, 60, ranks) == 0, "one, and none");
	options[0].channel = 17;
	ok(crm_reach_rank(options, 2, terms, 3, 60, ranks) == 2 && ranks[0].term == &terms[1] && ranks[0].value == ranks[1].value,
	   "of equal ones the earlier of the terms");
	options[0].successes = 1e308;
	options[0].failures = 1e308;
	ok(crm_reach_rank(options, 1, terms, 3, 60, ranks) == 1 && ranks[0].value == 30, "a sum beyond the range of doubles");
}

int
main(void)
{
	test_permitted();
	test_rank();
	return done_testing();
}
