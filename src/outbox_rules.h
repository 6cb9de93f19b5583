/*-------------------------------------------------------------------------
 *
 * outbox_rules.h
 *	  The rules by which a customer may be contacted: what holds for all who are
 *	  alike, and the time zones of countries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_OUTBOX_RULES_H
#define CRM_OUTBOX_RULES_H

#include "crm.h"
#include "utils/array.h"

/* What holds for all who are alike in the first four. */
typedef struct CrmSituation
{
	Oid			kind;
	Oid			channel;
	text	   *country;		/* NULL: unknown */
	text	   *purpose;
	bool		is_advertising;
	bool		is_capped;
	bool		keeps_quiet;
	int32		strength;
	ArrayType  *bases;			/* NULL: none is known to be enough */
	struct CrmSituation *next;
} CrmSituation;

struct CrmZone;

/* What a call has looked up.  Begin with zeros and the context. */
typedef struct CrmRuleBook
{
	MemoryContext context;		/* of the call, in which all of it is kept */
	CrmSituation *situations;
	struct CrmZone *zones;
	bool		zones_read;
} CrmRuleBook;

extern bool crm_lock_rules(void);
extern CrmSituation *crm_find_situation(CrmRuleBook *rules, Oid kind, Oid channel, text *country, text *purpose);
extern Datum crm_find_zone(CrmRuleBook *rules, const text *country);

#endif							/* CRM_OUTBOX_RULES_H */
