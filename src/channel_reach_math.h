/*-------------------------------------------------------------------------
 *
 * channel_reach_math.h
 *	  Over which channels one customer may be contacted, and which is worth
 *	  most.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_REACH_MATH_H
#define CRM_CHANNEL_REACH_MATH_H

#include <stdbool.h>
#include <stdint.h>

/* Flags of an option. */
#define CRM_REACH_PRIMARY		1	/* the contact point is the one to use first */
#define CRM_REACH_ENTRY			2	/* there is an entry in the ledger */
#define CRM_REACH_OBJECTION		4	/* and it is an objection */
#define CRM_REACH_PERMITS		8	/* a contact is permitted by it, or by there being none */
#define CRM_REACH_CONTACTED		16	/* there was a contact over the channel */
#define CRM_REACH_FLAGS			31

/* A contact point with one entry of the ledger that covers it, and what is known of its channel. */
typedef struct CrmReachOption
{
	uint32_t	channel;
	uint32_t	flags;
	int64_t		contact_point;
	int64_t		consent;
	int64_t		recorded_at;
	int64_t		last_contact_at;
	int64_t		observations;
	double		successes;
	double		failures;
} CrmReachOption;

/* What is to be known of a channel: in the order in which equal ones are preferred. */
typedef struct CrmReachTerm
{
	uint32_t	channel;
	int			position;		/* in that order, from 0 */
	double		unit_cost;
	double		prior_success;
	double		prior_failure;
} CrmReachTerm;

/* A permitted channel. */
typedef struct CrmReachRank
{
	const CrmReachOption *option;	/* with the contact point to use and the entry that permits it */
	const CrmReachTerm *term;
	double		value;			/* response_value times the posterior mean, less the cost */
} CrmReachRank;

extern int	crm_reach_permitted(CrmReachOption *options, int n);
extern int	crm_reach_rank(const CrmReachOption *options, int n, const CrmReachTerm *terms, int nterms,
						   double response_value, CrmReachRank *ranks);

#endif							/* CRM_CHANNEL_REACH_MATH_H */
