/*-------------------------------------------------------------------------
 *
 * insight.h
 *	  What the server-side files of the room "insight" share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_INSIGHT_H
#define CRM_INSIGHT_H

#include "crm.h"
#include "insight_fit_math.h"

#include "utils/array.h"

#include <math.h>

/* Counts beyond this are no purchases of a customer. */
#define CRM_MAX_COUNT 1e9
/* Times, amounts and covariates: far from where squares overflow. */
#define CRM_MAX_MEASURE 1e100

/* The state of the aggregates; see insight.c. */
#define STATE_MAGIC 0x43524D31	/* "CRM1" */
#define STATE_MIN_SLOTS 16
/* The table is full when 7 of 8 slots are used. */
#define STATE_FULL(slots) ((slots) / 8 * 7)
/* A survival curve is no model, but its state is of the same kind. */
#define STATE_SURVIVAL CRM_MODELS
/* Sums of logarithms are kept as integers, so that their order is irrelevant. */
#define LOG_UNIT 1152921504606846976.0	/* 2^60 */
#define LOG_MAX 1e12

typedef struct FitState
{
	int32		vl_len_;
	uint32		magic;
	uint8		model;
	uint8		regularity;		/* k of a CNBD; 0 when it is to be chosen */
	uint8		values;			/* float8 values in a slot */
	uint8		covariates;		/* the first of these */
	uint32		slots;			/* a power of two */
	uint32		used;
	uint32		unused;
	int64		customers;
	int64		log_gaps[2];	/* an int128, by memcpy */
	/* slots follow */
} FitState;

typedef struct FitSlot
{
	uint32		count;			/* 0: empty */
	uint32		x;
	float8		value[FLEXIBLE_ARRAY_MEMBER];
} FitSlot;

StaticAssertDecl(sizeof(FitState) == 48, "size of the state's header");
StaticAssertDecl(offsetof(FitSlot, value) == 8, "size of a slot's header");

#define SLOT_SIZE(values) (offsetof(FitSlot, value) + (values) * sizeof(float8))
#define STATE_SLOT(state, i) \
	((FitSlot *) ((char *) (state) + sizeof(FitState) + (Size) (i) * SLOT_SIZE((state)->values)))

extern FitState *crm_fit_state(FunctionCallInfo fcinfo, int argument, int model, bool writable);
extern void crm_customer_error(double x, double t_x, double t, const char *detail);
extern const char *crm_model_name(CrmModel model);
extern int	crm_model_by_name(const char *name);
extern void crm_check_customer(double x, double t_x, double t);
extern void crm_check_periods(double x, double t_x, double n);
extern void crm_check_spend(double x, double m_x);
extern float8 *crm_float8_array(ArrayType *array, const char *what, int *count);
extern int	crm_check_parameters(CrmModel model, ArrayType *array, double *p);
extern CrmModel crm_rate_model(FunctionCallInfo fcinfo, int argument);

static inline void
crm_check_measure(double value, const char *name)
{
	if (unlikely(!(value >= 0 && value <= CRM_MAX_MEASURE)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite and not negative, not %g", name, value)));
}

/* A result that is no number has only one reason. */
static inline double
crm_check_result(double value)
{
	if (unlikely(isnan(value)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the horizon is too long for this model"),
				 errdetail("More purchases would be expected than can be summed.")));
	return value;
}

#endif							/* CRM_INSIGHT_H */
