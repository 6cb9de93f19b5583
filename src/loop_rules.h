/*-------------------------------------------------------------------------
 *
 * loop_rules.h
 *	  The rules of the loop.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_LOOP_RULES_H
#define CRM_LOOP_RULES_H

#include "crm.h"

/* Call it, connected to SPI, before the other two. */
extern void crm_load_rules(void);
extern void crm_find_effect(Oid direction, Oid outcome, double *success, double *failure);
extern int64 crm_find_half_life(Oid channel);

#endif							/* CRM_LOOP_RULES_H */
