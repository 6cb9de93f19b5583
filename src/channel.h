/*-------------------------------------------------------------------------
 *
 * channel.h
 *	  What channel.c offers to the other files of its room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_H
#define CRM_CHANNEL_H

#include "crm.h"
#include "datatype/timestamp.h"

extern const unsigned char *crm_score_open(Datum datum, int *cells);
extern void crm_score_check_time(TimestampTz at);
extern void crm_score_read(Datum datum, TimestampTz at, double *successes, double *failures);

#endif							/* CRM_CHANNEL_H */
