/*-------------------------------------------------------------------------
 *
 * channel.h
 *	  What channel.c offers to the other files of its room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_H
#define CRM_CHANNEL_H

#include "channel_math.h"
#include "crm.h"
#include "datatype/timestamp.h"

extern const unsigned char *crm_score_open(Datum datum, int *cells);
extern void crm_score_check_time(TimestampTz at);
extern int64 crm_half_life_from_interval(const Interval *interval);
pg_noreturn extern void crm_score_error(CrmScoreStatus status, int64 a, int64 b);
extern void crm_score_read(Datum datum, TimestampTz at, double *successes, double *failures);

#endif							/* CRM_CHANNEL_H */
