/*-------------------------------------------------------------------------
 *
 * channel_prior.h
 *	  What channel_prior.c offers to the other files of its room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CHANNEL_PRIOR_H
#define CRM_CHANNEL_PRIOR_H

#include "channel_prior_math.h"
#include "crm.h"
#include "utils/array.h"

extern double crm_prior_logit_of(const double *weight, int weights, const double *mean, ArrayType *features);

#endif							/* CRM_CHANNEL_PRIOR_H */
