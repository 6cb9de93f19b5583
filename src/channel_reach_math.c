/*-------------------------------------------------------------------------
 *
 * channel_reach_math.c
 *	  Over which channels one customer may be contacted, and which is worth
 *	  most: the same as crm.contact_permission and a sort by value say, for a
 *	  whole base in a pass.
 *
 *-------------------------------------------------------------------------
 */
#include "channel_reach_math.h"

#include <stddef.h>
#include <stdlib.h>

/* Ascending; a flag that is set comes first. */
#define COMPARE(x, y) do { if ((x) != (y)) return (x) < (y) ? -1 : 1; } while (0)
#define FLAG_FIRST(flag) COMPARE(b->flags & (flag), a->flags & (flag))

/*
 * By channel; of a channel by contact point, the primary one first; of a
 * contact point by what counts first: an objection, then the newest entry.
 */
static int
compare_options(const void *first, const void *second)
{
	const CrmReachOption *a = first;
	const CrmReachOption *b = second;

	COMPARE(a->channel, b->channel);
	FLAG_FIRST(CRM_REACH_PRIMARY);
	COMPARE(a->contact_point, b->contact_point);
	FLAG_FIRST(CRM_REACH_OBJECTION);
	COMPARE(b->recorded_at, a->recorded_at);
	COMPARE(b->consent, a->consent);
	return 0;
}

/*
 * Sorts a customer's options and leaves one for each channel over which he may
 * be contacted: that of the first contact point whose deciding entry permits
 * it.  Returns how many.
 */
int
crm_reach_permitted(CrmReachOption *options, int n)
{
	int			permitted = 0;

	qsort(options, n, sizeof(CrmReachOption), compare_options);
	for (int i = 0; i < n; i++)
	{
		bool		decides = i == 0 || options[i].channel != options[i - 1].channel ||
			options[i].contact_point != options[i - 1].contact_point;

		/* What is kept moves to the front, never onto the one before this. */
		if (decides && (options[i].flags & CRM_REACH_PERMITS) &&
			(permitted == 0 || options[permitted - 1].channel != options[i].channel))
			options[permitted++] = options[i];
	}
	return permitted;
}

static int
compare_ranks(const void *first, const void *second)
{
	const CrmReachRank *a = first;
	const CrmReachRank *b = second;

	COMPARE(b->value, a->value);
	COMPARE(a->term->position, b->term->position);
	return 0;
}

/*
 * The permitted channels of which something is to be known, the most valuable
 * first, of equal ones the earlier in the order of the terms.  Returns how
 * many; ranks has room for n.
 */
int
crm_reach_rank(const CrmReachOption *options, int n, const CrmReachTerm *terms, int nterms, double response_value, CrmReachRank *ranks)
{
	int			ranked = 0;

	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < nterms; k++)
		{
			if (terms[k].channel == options[i].channel)
			{
				double		a = terms[k].prior_success + options[i].successes;
				double		b = terms[k].prior_failure + options[i].failures;

				ranks[ranked].option = &options[i];
				ranks[ranked].term = &terms[k];
				/* The sum of two doubles may be infinite, though each is finite. */
				ranks[ranked++].value = response_value * (a / 2 / (a / 2 + b / 2)) - terms[k].unit_cost;
				break;
			}
		}
	}
	qsort(ranks, ranked, sizeof(CrmReachRank), compare_ranks);
	return ranked;
}
