/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  The feedback loop's hot path: new interactions move the channel scores.
 *
 * Loading and recording interactions is what an installation does most, so
 * this one effect is in C: the trigger reads the statement's transition table,
 * sums it up to one score per customer and channel, and adds these to
 * crm.customer_channel by one set-based statement in the order of the keys.
 * What a change or a deletion does, what purchases do and what an outcome
 * implies is in SQL (sql/schema/loop.sql); both give the same bits.
 *
 * Everything runs as the owner of the table that the trigger is on, as a
 * foreign key's check does: who may write an interaction moves the scores,
 * though he may see or write none of them.  Names are all qualified, so the
 * caller's search_path has no say.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "channel.h"
#include "channel_math.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "loop_rules.h"
#include "miscadmin.h"
#include "spi_plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Keys that one statement adds; bounds the arrays that are passed to it. */
#define KEYS_PER_STATEMENT 10000

/*
 * Keys that are summed up at a time, about 200 MB.  A statement with more is
 * read several times, for one range of customers after the other, so that each
 * key is still written once and all in order.
 */
#ifndef MAX_KEYS
#define MAX_KEYS 1000000
#endif

/* What a statement adds to one row of crm.customer_channel. */

typedef struct ScoreKey
{
	int64		customer_id;
	Oid			channel;
} ScoreKey;

typedef struct ScoreEntry
{
	ScoreKey	key;
	uint32		status;			/* for simplehash */
	int			cells;
	unsigned char *score;		/* one cell inline, more elsewhere */
	unsigned char one_cell[CRM_SCORE_SIZE(1)];
	int64		interactions;
	TimestampTz last_outbound;	/* DT_NOBEGIN: none */
	TimestampTz last_inbound;
} ScoreEntry;

static inline uint32
score_key_hash(ScoreKey key)
{
	return murmurhash32((uint32) key.customer_id ^ (uint32) (key.customer_id >> 32) * 31 ^
						key.channel * 0x9e3779b9);
}

#define SH_PREFIX		scores
#define SH_ELEMENT_TYPE	ScoreEntry
#define SH_KEY_TYPE		ScoreKey
#define SH_KEY			key
#define SH_HASH_KEY(tb, key) score_key_hash(key)
#define SH_EQUAL(tb, a, b) ((a).customer_id == (b).customer_id && (a).channel == (b).channel)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The columns of an interaction that the loop reads. */
typedef struct InteractionColumns
{
	AttrNumber	interaction_id;
	AttrNumber	customer_id;
	AttrNumber	channel;
	AttrNumber	direction;
	AttrNumber	outcome;
	AttrNumber	occurred_at;
	AttrNumber	analysed_at;
	AttrNumber	last;			/* greatest of these */
	Oid			channel_type;
	Oid			direction_type;
	Oid			outcome_type;
} InteractionColumns;

/* One statement's work. */
typedef struct LoopState
{
	TriggerData *trigdata;
	InteractionColumns columns;
	MemoryContext context;		/* the table of scores; reset after each run */
	scores_hash *scores;
	Oid			outbound;		/* values of the enumerations */
	Oid			bounced;		/* the outcomes that imply more than a score */
	Oid			unsubscribed;
	Oid			complained;
	Oid			score_type;
	bool		any_inbound;
	bool		any_implying;
	int64		low;			/* customers of this reading: from here ... */
	int64		high;			/* ... to before here, if bounded */
	bool		bounded;
	FmgrInfo	compare_channels;
} LoopState;

PG_FUNCTION_INFO_V1(crm_interaction_after_insert);

static CrmPlan add_one = {
	"INSERT INTO crm.customer_channel AS t"
	" (customer_id, channel, score, interactions, last_outbound_at, last_inbound_at)"
	" VALUES ($1, $2, $3, $4, $5, $6)"
	" ON CONFLICT (customer_id, channel) DO UPDATE SET"
	" score = t.score OPERATOR(crm.+) excluded.score,"
	" interactions = t.interactions OPERATOR(pg_catalog.+) excluded.interactions,"
	" last_outbound_at = greatest(t.last_outbound_at, excluded.last_outbound_at),"
	" last_inbound_at = greatest(t.last_inbound_at, excluded.last_inbound_at)"
};

static CrmPlan add_many = {
	"INSERT INTO crm.customer_channel AS t"
	" (customer_id, channel, score, interactions, last_outbound_at, last_inbound_at)"
	" SELECT n.customer_id, n.channel, n.score, n.interactions, n.last_outbound_at, n.last_inbound_at"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
	" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))"
	" AS n (customer_id, channel, score, interactions, last_outbound_at, last_inbound_at)"
	" ON CONFLICT (customer_id, channel) DO UPDATE SET"
	" score = t.score OPERATOR(crm.+) excluded.score,"
	" interactions = t.interactions OPERATOR(pg_catalog.+) excluded.interactions,"
	" last_outbound_at = greatest(t.last_outbound_at, excluded.last_outbound_at),"
	" last_inbound_at = greatest(t.last_inbound_at, excluded.last_inbound_at)"
};

static CrmPlan any_unanswered = {
	"SELECT FROM crm.interaction AS i WHERE i.open_outcome IS NOT NULL LIMIT 1"
};

static CrmPlan lock_answered = {
	"SELECT crm.lock_answered($1)"
};

static CrmPlan implies = {
	"SELECT crm.interaction_implies($1)"
};

static CrmPlan restore_answered = {
	"SELECT crm.restore_answered($1)"
};

/* Columns and types -----------------------------------------------------------*/

static AttrNumber
interaction_column(TupleDesc desc, const char *name, Oid type, AttrNumber *last)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("trigger function crm.interaction_after_insert() needs column \"%s\"", name)));
	if (OidIsValid(type) && TupleDescAttr(desc, number - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" must be of type %s", name, format_type_be(type))));
	*last = Max(*last, number);
	return number;
}

/* An enumeration of this name must be meant, whatever schema it is found by. */
static Oid
enum_column_type(TupleDesc desc, AttrNumber number)
{
	Oid			type = TupleDescAttr(desc, number - 1)->atttypid;

	if (get_typtype(type) != TYPTYPE_ENUM)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" must be of an enumerated type",
						NameStr(TupleDescAttr(desc, number - 1)->attname))));
	return type;
}

static Oid
enum_value(Oid type, const char *label)
{
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										ObjectIdGetDatum(type), CStringGetDatum(label));

	if (!OidIsValid(value))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type %s has no value \"%s\"", format_type_be(type), label)));
	return value;
}

static void
find_columns(LoopState *state)
{
	TupleDesc	desc = RelationGetDescr(state->trigdata->tg_relation);
	InteractionColumns *c = &state->columns;

	c->last = 0;
	c->interaction_id = interaction_column(desc, "interaction_id", INT8OID, &c->last);
	c->customer_id = interaction_column(desc, "customer_id", INT8OID, &c->last);
	c->channel = interaction_column(desc, "channel", InvalidOid, &c->last);
	c->direction = interaction_column(desc, "direction", InvalidOid, &c->last);
	c->outcome = interaction_column(desc, "outcome", InvalidOid, &c->last);
	c->occurred_at = interaction_column(desc, "occurred_at", TIMESTAMPTZOID, &c->last);
	c->analysed_at = interaction_column(desc, "analysed_at", TIMESTAMPTZOID, &c->last);
	c->channel_type = enum_column_type(desc, c->channel);
	c->direction_type = enum_column_type(desc, c->direction);
	c->outcome_type = enum_column_type(desc, c->outcome);

	state->outbound = enum_value(c->direction_type, "outbound");
	state->bounced = enum_value(c->outcome_type, "bounced");
	state->unsubscribed = enum_value(c->outcome_type, "unsubscribed");
	state->complained = enum_value(c->outcome_type, "complained");
	state->score_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("channel_score"),
										ObjectIdGetDatum(get_namespace_oid("crm", false)));
	fmgr_info(F_ENUM_CMP, &state->compare_channels);
}

/* Summing up ------------------------------------------------------------------*/

static void
add_to_entry(LoopState *state, ScoreEntry *entry, const unsigned char *score, int cells)
{
	CrmScoreStatus status = crm_score_add_in_place(entry->score, entry->cells, score, cells);

	if (status == CRM_SCORE_GROW)
	{
		unsigned char *sum = MemoryContextAlloc(state->context, CRM_SCORE_SIZE(entry->cells + cells));
		int			sum_cells;

		status = crm_score_add(entry->score, entry->cells, score, cells, sum, &sum_cells);
		entry->score = sum;
		entry->cells = sum_cells;
	}
	if (status != CRM_SCORE_OK)
		crm_score_error(status, crm_score_half_life(entry->score), crm_score_half_life(score));
}

/* Does a contact with this outcome block an address or change what the customer permits? */
static bool
implies_more(LoopState *state, bool outbound, Oid outcome)
{
	return (outbound && outcome == state->bounced) ||
		outcome == state->unsubscribed || outcome == state->complained;
}

static void
absorb_row(LoopState *state, TupleTableSlot *slot)
{
	InteractionColumns *c = &state->columns;
	Datum	   *values = slot->tts_values;
	Oid			direction = DatumGetObjectId(values[c->direction - 1]);
	Oid			outcome = DatumGetObjectId(values[c->outcome - 1]);
	bool		outbound = direction == state->outbound;
	TimestampTz occurred_at = DatumGetTimestampTz(values[c->occurred_at - 1]);
	ScoreKey	key;
	ScoreEntry *entry;
	double		success,
				failure;
	unsigned char score[CRM_SCORE_SIZE(1)];
	int			cells;
	CrmScoreStatus status;
	int64		half_life;
	bool		found;

	/* Whether anything is answered is asked of all rows, whoever's turn it is. */
	state->any_inbound |= !outbound;
	key.customer_id = DatumGetInt64(values[c->customer_id - 1]);
	if (key.customer_id < state->low || (state->bounded && key.customer_id >= state->high))
		return;
	key.channel = DatumGetObjectId(values[c->channel - 1]);
	crm_find_effect(direction, outcome, &success, &failure);
	half_life = crm_find_half_life(key.channel);
	status = crm_score_event(success, failure, occurred_at, half_life, score, &cells);
	if (status != CRM_SCORE_OK)
		crm_score_error(status, half_life, half_life);

	entry = scores_insert(state->scores, key, &found);
	if (!found)
	{
		entry->interactions = 0;
		entry->last_outbound = entry->last_inbound = DT_NOBEGIN;
		entry->cells = cells;
		entry->score = NULL;
		memcpy(entry->one_cell, score, CRM_SCORE_SIZE(cells));
	}
	else
	{
		/* The table moves its elements, so a score inside one has no lasting address. */
		if (entry->score == NULL)
			entry->score = entry->one_cell;
		add_to_entry(state, entry, score, cells);
		if (entry->score == entry->one_cell)
			entry->score = NULL;
	}
	entry->interactions++;
	if (outbound)
		entry->last_outbound = Max(entry->last_outbound, occurred_at);
	else
		entry->last_inbound = Max(entry->last_inbound, occurred_at);
}

static int
compare_customers(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/*
 * Too many keys: keeps the lower half of the customers, and leaves those above
 * to the next reading.
 */
static void
narrow_range(LoopState *state)
{
	int			n = state->scores->members;
	int64	   *customers = MemoryContextAllocHuge(state->context, n * sizeof(int64));
	scores_hash *kept = scores_create(state->context, n / 2, NULL);
	scores_iterator iterator;
	ScoreEntry *entry;
	int			i = 0;

	scores_start_iterate(state->scores, &iterator);
	while ((entry = scores_iterate(state->scores, &iterator)) != NULL)
		customers[i++] = entry->key.customer_id;
	qsort(customers, n, sizeof(int64), compare_customers);
	state->high = customers[n / 2];
	state->bounded = true;
	/* A customer has few channels, so there are customers below the middle. */
	Assert(customers[0] < state->high);
	pfree(customers);

	scores_start_iterate(state->scores, &iterator);
	while ((entry = scores_iterate(state->scores, &iterator)) != NULL)
		if (entry->key.customer_id < state->high)
		{
			bool		found;
			ScoreEntry *copy = scores_insert(kept, entry->key, &found);
			uint32		status = copy->status;

			*copy = *entry;
			copy->status = status;
		}
	scores_destroy(state->scores);
	state->scores = kept;
}

/* Sums up the rows of the customers whose turn it is. */
static void
read_rows(LoopState *state, TupleTableSlot *slot)
{
	int64		rows = 0;

	tuplestore_rescan(state->trigdata->tg_newtable);
	while (tuplestore_gettupleslot(state->trigdata->tg_newtable, true, false, slot))
	{
		if ((++rows & 0xfff) == 0)
			CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, state->columns.last);
		/* What an outcome implies for consent is done at once, even when its row waits. */
		state->any_implying |= implies_more(state,
											DatumGetObjectId(slot->tts_values[state->columns.direction - 1]) == state->outbound,
											DatumGetObjectId(slot->tts_values[state->columns.outcome - 1]));
		if (slot->tts_isnull[state->columns.analysed_at - 1])
			continue;
		absorb_row(state, slot);
		if (state->scores->members >= MAX_KEYS)
			narrow_range(state);
	}
}

/* Writing ---------------------------------------------------------------------*/

static int
compare_entries(const void *a, const void *b, void *arg)
{
	const ScoreEntry *x = *(ScoreEntry *const *) a;
	const ScoreEntry *y = *(ScoreEntry *const *) b;
	LoopState  *state = arg;

	if (x->key.customer_id != y->key.customer_id)
		return x->key.customer_id < y->key.customer_id ? -1 : 1;
	if (x->key.channel == y->key.channel)
		return 0;
	return DatumGetInt32(FunctionCall2(&state->compare_channels,
									   ObjectIdGetDatum(x->key.channel), ObjectIdGetDatum(y->key.channel)));
}

static Datum
entry_score(ScoreEntry *entry)
{
	struct varlena *value = palloc(VARHDRSZ + CRM_SCORE_SIZE(entry->cells));

	SET_VARSIZE(value, VARHDRSZ + CRM_SCORE_SIZE(entry->cells));
	memcpy(VARDATA(value), entry->score ? entry->score : entry->one_cell, CRM_SCORE_SIZE(entry->cells));
	return PointerGetDatum(value);
}

static void
entry_values(ScoreEntry *entry, Datum *values, bool *nulls)
{
	values[0] = Int64GetDatum(entry->key.customer_id);
	values[1] = ObjectIdGetDatum(entry->key.channel);
	values[2] = entry_score(entry);
	values[3] = Int64GetDatum(entry->interactions);
	values[4] = TimestampTzGetDatum(entry->last_outbound);
	values[5] = TimestampTzGetDatum(entry->last_inbound);
	memset(nulls, false, 6 * sizeof(bool));
	nulls[4] = entry->last_outbound == DT_NOBEGIN;
	nulls[5] = entry->last_inbound == DT_NOBEGIN;
}

static void
write_one(LoopState *state, ScoreEntry *entry)
{
	Oid			types[6] = {INT8OID, state->columns.channel_type, state->score_type,
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[6];
	bool		isnull[6];
	char		nulls[6];

	entry_values(entry, values, isnull);
	for (int i = 0; i < 6; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	crm_run_plan(&add_one, 6, types, values, nulls, SPI_OK_INSERT);
}

static void
write_many(LoopState *state, ScoreEntry **entries, int n)
{
	Oid			elements[6] = {INT8OID, state->columns.channel_type, state->score_type,
	INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Oid			types[6];
	Datum	   *values[6];
	bool	   *nulls[6];
	Datum		arrays[6];
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm loop statement",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);

	for (int i = 0; i < 6; i++)
	{
		values[i] = palloc(n * sizeof(Datum));
		nulls[i] = palloc(n * sizeof(bool));
	}
	for (int k = 0; k < n; k++)
	{
		Datum		row[6];
		bool		row_nulls[6];

		entry_values(entries[k], row, row_nulls);
		for (int i = 0; i < 6; i++)
		{
			values[i][k] = row[i];
			nulls[i][k] = row_nulls[i];
		}
	}
	for (int i = 0; i < 6; i++)
	{
		int16		length;
		bool		byval;
		char		align;
		int			lower = 1;

		get_typlenbyvalalign(elements[i], &length, &byval, &align);
		arrays[i] = PointerGetDatum(construct_md_array(values[i], nulls[i], 1, &n, &lower,
													   elements[i], length, byval, align));
		types[i] = get_array_type(elements[i]);
	}
	crm_run_plan(&add_many, 6, types, arrays, NULL, SPI_OK_INSERT);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/* Adds what was summed up to crm.customer_channel, and starts anew. */
static void
write_scores(LoopState *state)
{
	int			n = state->scores->members;

	if (n > 0)
	{
		ScoreEntry **entries = MemoryContextAlloc(state->context, n * sizeof(ScoreEntry *));
		ScoreEntry *entry;
		scores_iterator iterator;
		int			i = 0;

		scores_start_iterate(state->scores, &iterator);
		while ((entry = scores_iterate(state->scores, &iterator)) != NULL)
			entries[i++] = entry;
		if (n == 1)
			write_one(state, entries[0]);
		else
		{
			qsort_arg(entries, n, sizeof(ScoreEntry *), compare_entries, state);
			for (i = 0; i < n; i += KEYS_PER_STATEMENT)
				write_many(state, entries + i, Min(n - i, KEYS_PER_STATEMENT));
		}
	}
	MemoryContextReset(state->context);
	state->scores = scores_create(state->context, 16, NULL);
}

/*
 * Calls a function with the ids of the few rows that it is for: the bounces,
 * unsubscriptions and complaints, or else the answers among those that do not
 * wait.
 */
static void
run_for_rows(LoopState *state, TupleTableSlot *slot, CrmPlan *plan, bool implying)
{
	InteractionColumns *c = &state->columns;
	Oid			type = INT8ARRAYOID;
	ArrayBuildState *ids = initArrayResult(INT8OID, CurrentMemoryContext, false);
	Datum		array;

	tuplestore_rescan(state->trigdata->tg_newtable);
	while (tuplestore_gettupleslot(state->trigdata->tg_newtable, true, false, slot))
	{
		bool		outbound;

		slot_getsomeattrs(slot, c->last);
		outbound = DatumGetObjectId(slot->tts_values[c->direction - 1]) == state->outbound;
		if (implying ? implies_more(state, outbound, DatumGetObjectId(slot->tts_values[c->outcome - 1]))
			: !outbound && !slot->tts_isnull[c->analysed_at - 1])
			ids = accumArrayResult(ids, slot->tts_values[c->interaction_id - 1], false, INT8OID, CurrentMemoryContext);
	}
	array = makeArrayResult(ids, CurrentMemoryContext);
	crm_run_plan(plan, 1, &type, &array, NULL, SPI_OK_SELECT);
}

static bool
is_any_unanswered(void)
{
	crm_run_plan(&any_unanswered, 0, NULL, NULL, NULL, SPI_OK_SELECT);
	return SPI_processed > 0;
}

/*
 * crm.interaction_after_insert() returns trigger
 *
 * AFTER INSERT FOR EACH STATEMENT trigger with a transition table of the new
 * rows: adds them to crm.customer_channel and does what their outcomes imply.
 * Of rows that wait (analysed_at is null) only what they say of consent is done.
 */
Datum
crm_interaction_after_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	LoopState	state;
	TupleTableSlot *slot;
	Oid			caller;
	int			caller_context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "crm.interaction_after_insert")));
	if (!TRIGGER_FIRED_AFTER(trigdata->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigdata->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) || trigdata->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER INSERT FOR EACH STATEMENT, with a table of the new rows",
						"crm.interaction_after_insert")));
	/* This trigger is the statement's last.  What it implies is a statement of its own. */
	crm_forget_touched();
	/* It runs as the table's owner, so it must not serve where others put it. */
	if (RelationGetNamespace(trigdata->tg_relation) != get_namespace_oid("crm", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" serves tables of schema \"crm\" only", "crm.interaction_after_insert")));
	if (tuplestore_tuple_count(trigdata->tg_newtable) == 0)
		return PointerGetDatum(NULL);

	memset(&state, 0, sizeof(state));
	state.trigdata = trigdata;
	find_columns(&state);

	SPI_connect();
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(trigdata->tg_relation->rd_rel->relowner,
						   caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	crm_load_rules();

	state.context = AllocSetContextCreate(CurrentMemoryContext, "crm loop", ALLOCSET_DEFAULT_SIZES);
	state.scores = scores_create(state.context, 16, NULL);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigdata->tg_relation), &TTSOpsMinimalTuple);
	state.low = PG_INT64_MIN;
	read_rows(&state, slot);
	/* Facts are locked before what is derived from them, as an update does. */
	if (state.any_inbound && is_any_unanswered())
		run_for_rows(&state, slot, &lock_answered, false);
	write_scores(&state);
	while (state.bounded)
	{
		state.low = state.high;
		state.bounded = false;
		read_rows(&state, slot);
		write_scores(&state);
	}

	if (state.any_implying)
		run_for_rows(&state, slot, &implies, true);
	/* Another may have become unanswered until the scores were locked, so ask again. */
	if (state.any_inbound && is_any_unanswered())
		run_for_rows(&state, slot, &restore_answered, false);

	ExecDropSingleTupleTableSlot(slot);
	SetUserIdAndSecContext(caller, caller_context);
	SPI_finish();
	return PointerGetDatum(NULL);
}
