/*-------------------------------------------------------------------------
 *
 * loop_rules.c
 *	  The rules of the loop: what an outcome tells, and how fast a channel
 *	  forgets.
 *
 * They are in tables (crm.outcome_effect, crm.channel_policy), of which each
 * session keeps a copy.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "catalog/pg_type.h"
#include "channel.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "loop_rules.h"
#include "spi_plan.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(crm_rules_changed);

#define EFFECT_SLOTS 128		/* a power of two above 2 directions x 14 outcomes */
#define MAX_CHANNELS 64

typedef struct Effect
{
	Oid			direction;		/* InvalidOid: the slot is free */
	Oid			outcome;
	double		success;
	double		failure;
} Effect;

typedef struct ChannelMemory
{
	Oid			channel;
	int64		half_life;		/* microseconds */
} ChannelMemory;

typedef struct Rules
{
	bool		valid;
	Oid			relations[2];	/* outcome_effect, channel_policy */
	Effect		effects[EFFECT_SLOTS];
	int			nchannels;
	ChannelMemory channels[MAX_CHANNELS];
} Rules;

static Rules rules;

static CrmPlan read_effects = {
	"SELECT e.direction, e.outcome, e.success, e.failure, e.tableoid FROM crm.outcome_effect AS e"
};

static CrmPlan read_channels = {
	"SELECT p.channel, p.half_life, p.tableoid FROM crm.channel_policy AS p"
};

static uint32
effect_slot(Oid direction, Oid outcome)
{
	return murmurhash32(direction * 31 + outcome) & (EFFECT_SLOTS - 1);
}

static void
forget_rules(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == rules.relations[0] || relation == rules.relations[1])
		rules.valid = false;
}

/*
 * Reads the rules into the session's copy.  A change of the rules forgets
 * every session's copy (crm_rules_changed) while no interaction can be written.
 */
void
crm_load_rules(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget_rules, (Datum) 0);
		registered = true;
	}
	if (rules.valid)
		return;

	memset(&rules, 0, sizeof(rules));
	crm_run_plan(&read_effects, 0, NULL, NULL, NULL, SPI_OK_SELECT);
	if (SPI_processed >= EFFECT_SLOTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table crm.outcome_effect has more than %d rows", EFFECT_SLOTS - 1)));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Effect		effect;
		uint32		slot;

		effect.direction = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		effect.outcome = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
		effect.success = DatumGetFloat8(SPI_getbinval(tuple, desc, 3, &isnull));
		effect.failure = DatumGetFloat8(SPI_getbinval(tuple, desc, 4, &isnull));
		rules.relations[0] = DatumGetObjectId(SPI_getbinval(tuple, desc, 5, &isnull));
		for (slot = effect_slot(effect.direction, effect.outcome);
			 rules.effects[slot].direction != InvalidOid;
			 slot = (slot + 1) & (EFFECT_SLOTS - 1))
			;
		rules.effects[slot] = effect;
	}
	SPI_freetuptable(SPI_tuptable);

	crm_run_plan(&read_channels, 0, NULL, NULL, NULL, SPI_OK_SELECT);
	if (SPI_processed > MAX_CHANNELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table crm.channel_policy has more than %d rows", MAX_CHANNELS)));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		ChannelMemory *memory = &rules.channels[rules.nchannels++];

		memory->channel = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		memory->half_life = crm_half_life_from_interval(DatumGetIntervalP(SPI_getbinval(tuple, desc, 2, &isnull)));
		rules.relations[1] = DatumGetObjectId(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	/* An empty table tells nothing of itself, so its rules are not kept. */
	rules.valid = OidIsValid(rules.relations[0]) && OidIsValid(rules.relations[1]);
}

/*
 * What an outcome tells of its channel; without a rule, nothing.
 */
void
crm_find_effect(Oid direction, Oid outcome, double *success, double *failure)
{
	for (uint32 slot = effect_slot(direction, outcome);
		 rules.effects[slot].direction != InvalidOid;
		 slot = (slot + 1) & (EFFECT_SLOTS - 1))
		if (rules.effects[slot].direction == direction && rules.effects[slot].outcome == outcome)
		{
			*success = rules.effects[slot].success;
			*failure = rules.effects[slot].failure;
			return;
		}
	*success = *failure = 0;
}

/*
 * The half-life of a channel in microseconds; without a policy it forgets as in
 * sql/schema/loop.sql.
 */
int64
crm_find_half_life(Oid channel)
{
	for (int i = 0; i < rules.nchannels; i++)
		if (rules.channels[i].channel == channel)
			return rules.channels[i].half_life;
	return INT64CONST(364) * USECS_PER_DAY;
}

/*
 * crm.rules_changed() returns trigger
 *
 * AFTER STATEMENT trigger of the two tables of rules: makes every session read
 * them again.
 */
Datum
crm_rules_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.rules_changed")));
	CacheInvalidateRelcache(trigdata->tg_relation);
	rules.valid = false;
	return PointerGetDatum(NULL);
}
