/*-------------------------------------------------------------------------
 *
 * outbox_rules.c
 *	  The rules by which a customer may be contacted, read without a query.
 *
 * They depend on few things: the kind and country of a customer, the channel
 * and the purpose.  So they are looked up once for all of a call who are alike
 * in these.  The tables are small, but crm.contact_need, which has an index.
 *
 *-------------------------------------------------------------------------
 */
#include "outbox_rules.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "own_table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What is read. */
enum
{
	PURPOSE_PURPOSE, PURPOSE_IS_ADVERTISING, PURPOSE_IS_CAPPED, PURPOSE_KEEPS_QUIET
};
enum
{
	NEED_COUNTRY, NEED_KIND, NEED_CHANNEL, NEED_PURPOSE, NEED_STRENGTH, NEED_BASES
};
enum
{
	RULE_COUNTRY
};
enum
{
	COUNTRY_COUNTRY, COUNTRY_ZONE
};

static CrmColumn purpose_columns[] = {
	{"purpose", TEXTOID}, {"is_advertising", BOOLOID}, {"is_capped", BOOLOID}, {"keeps_quiet", BOOLOID}
};
static CrmColumn need_columns[] = {
	{"country", TEXTOID}, {"kind"}, {"channel"}, {"purpose", TEXTOID}, {"strength", INT4OID}, {"bases", TEXTARRAYOID}
};
static CrmColumn rule_columns[] = {{"country", TEXTOID}};
static CrmColumn country_columns[] = {{"country", TEXTOID}, {"time_zone", TEXTOID}};

static CrmTable purpose_table = {"purpose", purpose_columns, lengthof(purpose_columns)};
static CrmTable need_table = {"contact_need", need_columns, lengthof(need_columns)};
static CrmTable rule_table = {"contact_rule", rule_columns, lengthof(rule_columns)};
static CrmTable country_table = {"country", country_columns, lengthof(country_columns)};

static CrmTable *const all_tables[] = {&purpose_table, &need_table, &rule_table, &country_table};

/* The index of crm.contact_need by country and kind; kept by the session as long as the table is the same. */
static uint32 need_version;
static Oid	need_index;

/* A time zone of a country. */
typedef struct CrmZone
{
	text	   *country;
	text	   *zone;
	struct CrmZone *next;
} CrmZone;

static text *
copied(CrmRuleBook *rules, Datum value)
{
	MemoryContext caller = MemoryContextSwitchTo(rules->context);
	text	   *copy = DatumGetTextPCopy(value);

	MemoryContextSwitchTo(caller);
	return copy;
}

/*
 * Locks the tables of rules for the transaction; false when they cannot be
 * read without a query.
 */
bool
crm_lock_rules(void)
{
	if (!crm_lock_tables(all_tables, lengthof(all_tables)))
		return false;
	if (need_version != need_table.version)
	{
		Relation	need = table_open(need_table.oid, NoLock);

		need_index = crm_find_index(need, need_columns[NEED_COUNTRY].number, need_columns[NEED_KIND].number);
		need_version = need_table.version;
		table_close(need, NoLock);
	}
	return OidIsValid(need_index);
}

static void
read_purpose(CrmSituation *situation)
{
	CrmRows		rows = {NULL};
	TupleTableSlot *slot;
	bool		isnull;

	/* One that is not listed counts as advertising, and no rule spares it. */
	situation->is_advertising = situation->is_capped = situation->keeps_quiet = true;
	while ((slot = crm_next_row(&rows, &purpose_table)) != NULL)
	{
		if (!crm_same_text(situation->purpose, DatumGetTextPP(crm_column(slot, &purpose_table, PURPOSE_PURPOSE, &isnull))))
			continue;
		situation->is_advertising = DatumGetBool(crm_column(slot, &purpose_table, PURPOSE_IS_ADVERTISING, &isnull));
		situation->is_capped = DatumGetBool(crm_column(slot, &purpose_table, PURPOSE_IS_CAPPED, &isnull));
		situation->keeps_quiet = DatumGetBool(crm_column(slot, &purpose_table, PURPOSE_KEEPS_QUIET, &isnull));
	}
}

static bool
country_has_rules(const text *country)
{
	CrmRows		rows = {NULL};
	TupleTableSlot *slot;
	bool		has = false;
	bool		isnull;

	while (country != NULL && (slot = crm_next_row(&rows, &rule_table)) != NULL)
	{
		Datum		value = crm_column(slot, &rule_table, RULE_COUNTRY, &isnull);

		has |= !isnull && crm_same_text(country, DatumGetTextPP(value));
	}
	return has;
}

/* The basis that advertising needs: that for this very purpose before that for any. */
static void
read_need(CrmRuleBook *rules, CrmSituation *situation)
{
	CrmScan		scan;
	text	   *country = country_has_rules(situation->country) ? situation->country : cstring_to_text("");
	bool		exact = false;
	ScanKeyData keys[2];
	bool		isnull;

	situation->strength = 40;
	situation->bases = NULL;
	crm_open_scan(&scan, &need_table, need_index, 2);
	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid, scan.index->rd_indcollation[0], F_TEXTEQ, PointerGetDatum(country));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, InvalidOid, F_ENUM_EQ, ObjectIdGetDatum(situation->kind));
	crm_seek(&scan, keys, 2);
	while (!exact && crm_next_found(&scan))
	{
		TupleTableSlot *slot = scan.slot;
		text	   *purpose = DatumGetTextPP(crm_column(slot, &need_table, NEED_PURPOSE, &isnull));
		MemoryContext caller;

		if (DatumGetObjectId(crm_column(slot, &need_table, NEED_CHANNEL, &isnull)) != situation->channel)
			continue;
		exact = crm_same_text(purpose, situation->purpose);
		if (!exact && VARSIZE_ANY_EXHDR(purpose) > 0)
			continue;
		situation->strength = DatumGetInt32(crm_column(slot, &need_table, NEED_STRENGTH, &isnull));
		caller = MemoryContextSwitchTo(rules->context);
		situation->bases = DatumGetArrayTypePCopy(crm_column(slot, &need_table, NEED_BASES, &isnull));
		MemoryContextSwitchTo(caller);
	}
	crm_close_scan(&scan);
}

/* What holds for customers of this kind and country over this channel, for this purpose. */
CrmSituation *
crm_find_situation(CrmRuleBook *rules, Oid kind, Oid channel, text *country, text *purpose)
{
	CrmSituation *situation;

	for (situation = rules->situations; situation != NULL; situation = situation->next)
		if (situation->kind == kind && situation->channel == channel &&
			crm_same_text(situation->country, country) && crm_same_text(situation->purpose, purpose))
			return situation;
	situation = MemoryContextAllocZero(rules->context, sizeof(CrmSituation));
	situation->kind = kind;
	situation->channel = channel;
	situation->country = country == NULL ? NULL : copied(rules, PointerGetDatum(country));
	situation->purpose = copied(rules, PointerGetDatum(purpose));
	read_purpose(situation);
	if (situation->is_advertising)
		read_need(rules, situation);
	situation->next = rules->situations;
	rules->situations = situation;
	return situation;
}

/* As crm.contact_zone(): the customer's own, that of his country, that of ZZ, UTC. */
Datum
crm_find_zone(CrmRuleBook *rules, const text *country)
{
	text	   *other = NULL;

	if (!rules->zones_read)
	{
		CrmRows		rows = {NULL};
		TupleTableSlot *slot;
		bool		isnull;

		while ((slot = crm_next_row(&rows, &country_table)) != NULL)
		{
			CrmZone    *zone = MemoryContextAlloc(rules->context, sizeof(CrmZone));

			zone->country = copied(rules, crm_column(slot, &country_table, COUNTRY_COUNTRY, &isnull));
			zone->zone = copied(rules, crm_column(slot, &country_table, COUNTRY_ZONE, &isnull));
			zone->next = rules->zones;
			rules->zones = zone;
		}
		rules->zones_read = true;
	}
	for (CrmZone *zone = rules->zones; zone != NULL; zone = zone->next)
	{
		if (country != NULL && crm_same_text(zone->country, country))
			return PointerGetDatum(zone->zone);
		if (crm_text_is(PointerGetDatum(zone->country), "ZZ"))
			other = zone->zone;
	}
	return PointerGetDatum(other != NULL ? other : cstring_to_text("UTC"));
}
