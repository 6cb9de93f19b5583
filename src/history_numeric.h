/*-------------------------------------------------------------------------
 *
 * history_numeric.h
 *	  Amounts of money from values of type numeric.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_HISTORY_NUMERIC_H
#define CRM_HISTORY_NUMERIC_H

#include "crm.h"
#include "history_math.h"

extern CrmHistoryStatus crm_amount_from_numeric(Datum value, int64 *amount);

#endif							/* CRM_HISTORY_NUMERIC_H */
