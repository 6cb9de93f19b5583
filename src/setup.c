/*-------------------------------------------------------------------------
 *
 * setup.c
 *	  crm.setup(): runs the installed schema script as the caller.
 *
 * The extension's members are code.  What holds data (tables, and the views,
 * triggers and functions over them) is made by this function as ordinary
 * objects of whoever calls it, so that pg_dump carries all of it, a DBA may
 * alter all of it, and DROP EXTENSION refuses while it is there.
 *
 * The script of a version, crm-schema--<version>.sql, serves three purposes:
 * it is run where nothing has been set up, it is the list of what must be
 * there where something has, and it names what would be in the way before
 * anything is created.  Deltas, crm-schema--<from>--<to>.sql, bring an
 * installation from one version to the next.  Everything happens in the
 * caller's transaction: an error leaves nothing behind.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include <sys/stat.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Versions are short; a delta chain longer than this is a packaging mistake. */
#define MAX_DELTAS 256
/* How many names an error lists before it says "and N more". */
#define MAX_NAMED 12

/* One object that the schema script creates. */
typedef enum SchemaItemKind
{
	ITEM_TABLE,
	ITEM_VIEW,
	ITEM_FUNCTION,
	ITEM_TRIGGER
} SchemaItemKind;

typedef struct SchemaItem
{
	SchemaItemKind	kind;
	char	   *name;
	char	   *table;			/* of a trigger */
	List	   *columns;		/* of a table: names; String nodes */
	List	   *own_columns;	/* of these, the ones of a type of crm */
} SchemaItem;

/* A script, parsed. */
typedef struct Script
{
	char	   *file;			/* its name without the directory */
	char	   *text;
	List	   *statements;		/* RawStmt */
	List	   *items;			/* SchemaItem, in order of creation */
} Script;

/* Where an error inside the script is: for the context callback. */
typedef struct ScriptPosition
{
	const Script *script;
	int			location;
} ScriptPosition;

typedef struct Delta
{
	char	   *from;
	char	   *to;
} Delta;

PG_FUNCTION_INFO_V1(crm_setup);
PG_FUNCTION_INFO_V1(crm_announce);

static char *
script_directory(void)
{
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	return psprintf("%s/extension", share);
}

/*
 * The schema in which a required extension lives, quoted.  A name that could
 * end a literal or a dollar quote is refused, since the script uses the name
 * inside function bodies too (the lesson of CVE-2023-39417).
 */
static char *
extension_schema(const char *extension)
{
	Oid			schema = InvalidOid;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *name;

	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(extension));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"%s\" is not installed in this database", extension),
				 errhint("Use \"CREATE EXTENSION %s\" first.", extension)));

	name = get_namespace_name(schema);
	if (strpbrk(name, "\"$'\\") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("extension \"%s\" is in a schema whose name can't be used here: \"%s\"",
						extension, name),
				 errdetail("The name must not contain quotes, a dollar sign or a backslash."),
				 errhint("Use \"ALTER EXTENSION %s SET SCHEMA\" first.", extension)));
	return pstrdup(quote_identifier(name));
}

/* Puts the quoted schema of each required extension for its placeholder @name@. */
static char *
substitute_schemas(char *source)
{
	static const char *const required[] = {"btree_gist", "ltree", "pg_trgm"};
	Datum		result = PointerGetDatum(cstring_to_text(source));

	for (int i = 0; i < lengthof(required); i++)
	{
		char	   *placeholder = psprintf("@%s@", required[i]);

		if (strstr(source, placeholder) == NULL)
			continue;
		result = DirectFunctionCall3Coll(replace_text, C_COLLATION_OID, result,
										 CStringGetTextDatum(placeholder),
										 CStringGetTextDatum(extension_schema(required[i])));
	}
	return TextDatumGetCString(result);
}

/* Is this type name one of crm's own: crm.channel, crm.channel_score? */
static bool
is_own_type(TypeName *type)
{
	return type != NULL && list_length(type->names) == 2 &&
		strcmp(strVal(linitial(type->names)), "crm") == 0;
}

static void
collect_item(Script *script, Node *statement)
{
	SchemaItem	   *item = palloc0(sizeof(SchemaItem));
	ListCell   *lc;

	switch (nodeTag(statement))
	{
		case T_CreateStmt:
			item->kind = ITEM_TABLE;
			item->name = ((CreateStmt *) statement)->relation->relname;
			foreach(lc, ((CreateStmt *) statement)->tableElts)
			{
				ColumnDef  *column = lfirst(lc);

				if (!IsA(column, ColumnDef))
					continue;
				item->columns = lappend(item->columns, makeString(column->colname));
				if (is_own_type(column->typeName))
					item->own_columns = lappend(item->own_columns, makeString(column->colname));
			}
			break;
		case T_ViewStmt:
			item->kind = ITEM_VIEW;
			item->name = ((ViewStmt *) statement)->view->relname;
			break;
		case T_CreateFunctionStmt:
			item->kind = ITEM_FUNCTION;
			item->name = strVal(llast(((CreateFunctionStmt *) statement)->funcname));
			break;
		case T_CreateTrigStmt:
			item->kind = ITEM_TRIGGER;
			item->name = ((CreateTrigStmt *) statement)->trigname;
			item->table = ((CreateTrigStmt *) statement)->relation->relname;
			break;
		default:
			pfree(item);
			return;
	}
	script->items = lappend(script->items, item);
}

/* Reads and parses a script of the share directory. */
static Script *
read_script(const char *file)
{
	Script	   *script = palloc0(sizeof(Script));
	char	   *path = psprintf("%s/%s", script_directory(), file);
	struct stat st;
	FILE	   *stream;
	char	   *raw;
	ListCell   *lc;

	stream = AllocateFile(path, PG_BINARY_R);
	if (stream == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open schema script \"%s\": %m", path),
				 errhint("The script is installed with the extension; install the extension's files again.")));
	if (fstat(fileno(stream), &st) != 0 || st.st_size >= MaxAllocSize)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read schema script \"%s\": %m", path)));
	raw = palloc(st.st_size + 1);
	if (fread(raw, 1, st.st_size, stream) != st.st_size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read schema script \"%s\": %m", path)));
	raw[st.st_size] = '\0';
	FreeFile(stream);

	script->file = pstrdup(file);
	script->text = substitute_schemas(pg_any_to_server(raw, st.st_size, PG_UTF8));
	script->statements = pg_parse_query(script->text);
	foreach(lc, script->statements)
		collect_item(script, lfirst_node(RawStmt, lc)->stmt);
	return script;
}

static void
script_error_callback(void *arg)
{
	ScriptPosition *position = arg;
	const char *text = position->script->text;
	int			line = 1;

	for (int i = 0; i < position->location && text[i] != '\0'; i++)
		if (text[i] == '\n')
			line++;
	errcontext("schema script \"%s\", line %d", position->script->file, line);
}

/* Runs a script statement by statement; each sees what those before it made. */
static void
run_script(Script *script)
{
	ScriptPosition position = {script, 0};
	ErrorContextCallback context;
	ListCell   *lc;

	context.callback = script_error_callback;
	context.arg = &position;
	context.previous = error_context_stack;
	error_context_stack = &context;

	foreach(lc, script->statements)
	{
		RawStmt    *statement = lfirst_node(RawStmt, lc);
		char	   *sql = script->text + statement->stmt_location;

		CHECK_FOR_INTERRUPTS();
		sql = statement->stmt_len > 0 ? pnstrdup(sql, statement->stmt_len) : pstrdup(sql);
		position.location = statement->stmt_location + strspn(sql, " \t\r\n");
		if (SPI_execute(sql, false, 0) < 0)
			elog(ERROR, "SPI_execute failed: %s", sql);
		pfree(sql);
	}

	error_context_stack = context.previous;
}

/*
 * A function of this name in schema crm that the extension does not own.
 * The scripts do not overload a name across the two, so the name suffices.
 */
static bool
function_exists(const char *name, Oid schema)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool		found = false;

	for (int i = 0; i < list->n_members && !found; i++)
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		found = proc->pronamespace == schema &&
			!OidIsValid(getExtensionOfObject(ProcedureRelationId, proc->oid));
	}
	ReleaseCatCacheList(list);
	return found;
}

static bool
item_exists(SchemaItem *item, Oid schema)
{
	Oid			relation;

	switch (item->kind)
	{
		case ITEM_TABLE:
		case ITEM_VIEW:
			return OidIsValid(get_relname_relid(item->name, schema));
		case ITEM_FUNCTION:
			return function_exists(item->name, schema);
		case ITEM_TRIGGER:
			relation = get_relname_relid(item->table, schema);
			return OidIsValid(relation) &&
				OidIsValid(get_trigger_oid(relation, item->name, true));
	}
	return false;
}

/* Appends "table crm.x" to a list of names, keeping the list short. */
static void
append_item(StringInfo names, int *count, SchemaItem *item, const char *column)
{
	static const char *const kinds[] = {"table", "view", "function", "trigger"};

	if (++*count > MAX_NAMED)
		return;
	appendStringInfo(names, "%s%s ", names->len > 0 ? ", " : "", column ? "column" : kinds[item->kind]);
	if (column != NULL)
		appendStringInfo(names, "crm.%s.%s", item->name, column);
	else if (item->kind == ITEM_TRIGGER)
		appendStringInfo(names, "%s on crm.%s", item->name, item->table);
	else
		appendStringInfo(names, "crm.%s%s", item->name, item->kind == ITEM_FUNCTION ? "()" : "");
}

static void
finish_names(StringInfo names, int count)
{
	if (count > MAX_NAMED)
		appendStringInfo(names, " and %d more", count - MAX_NAMED);
}

/* Refuses when something already stands where the script would build. */
static void
check_nothing_in_the_way(Script *script, Oid schema)
{
	StringInfoData names;
	int			count = 0;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, script->items)
	{
		SchemaItem	   *item = lfirst(lc);

		if (item->kind != ITEM_TRIGGER && item_exists(item, schema))
			append_item(&names, &count, item, NULL);
	}
	if (count == 0)
		return;
	finish_names(&names, count);
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("schema \"crm\" already holds objects that crm.setup() would create"),
			 errdetail("In the way: %s.", names.data),
			 errhint("Drop or rename them, or move them to another schema, and call crm.setup() again.")));
}

/* Refuses when something of the installed version has been lost. */
static void
check_complete(Script *script, Oid schema, const char *version)
{
	StringInfoData names;
	int			count = 0;
	ListCell   *lc,
			   *lc2;

	initStringInfo(&names);
	foreach(lc, script->items)
	{
		SchemaItem	   *item = lfirst(lc);
		Oid			relation;

		if (!item_exists(item, schema))
		{
			append_item(&names, &count, item, NULL);
			continue;
		}
		relation = item->kind == ITEM_TABLE ? get_relname_relid(item->name, schema) : InvalidOid;
		foreach(lc2, item->columns)
			if (get_attnum(relation, strVal(lfirst(lc2))) == InvalidAttrNumber)
				append_item(&names, &count, item, strVal(lfirst(lc2)));
	}
	if (count == 0)
		return;
	finish_names(&names, count);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("crm %s has been set up in this database, but parts of it are missing", version),
			 errdetail("Missing: %s.", names.data),
			 errhint("Restore them from a backup; or, where there is nothing to keep, drop the tables and views of schema crm and call crm.setup() again.")));
}

/*
 * DROP EXTENSION ... CASCADE takes away every column of a type of crm, but
 * not the tables.  Such remains are known by that: tables of ours are there,
 * and none of them has any column of our types left.
 */
static bool
extension_was_dropped(Script *script, Oid schema)
{
	bool		remains = false;
	ListCell   *lc,
			   *lc2;

	foreach(lc, script->items)
	{
		SchemaItem	   *item = lfirst(lc);
		Oid			relation;

		if (item->own_columns == NIL)
			continue;
		relation = get_relname_relid(item->name, schema);
		if (!OidIsValid(relation))
			continue;
		remains = true;
		foreach(lc2, item->own_columns)
			if (get_attnum(relation, strVal(lfirst(lc2))) != InvalidAttrNumber)
				return false;
	}
	return remains;
}

/*
 * Clears the remains of an installation whose extension was dropped: tables
 * are moved to a schema of their own, for they hold what is left of the
 * customers' data; functions and views are code, and go.  Returns the name
 * of that schema.
 */
static char *
move_remains(Script *script, Oid schema)
{
	char	   *target = NULL;
	StringInfoData sql;
	ListCell   *lc;

	for (int i = 1; target == NULL || OidIsValid(get_namespace_oid(target, true)); i++)
		target = psprintf("crm_remains_%d", i);

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE SCHEMA %s; COMMENT ON SCHEMA %s IS "
					 "'what DROP EXTENSION crm CASCADE left of the tables of crm; moved here by crm.setup()';",
					 target, target);
	foreach(lc, script->items)
	{
		SchemaItem	   *item = lfirst(lc);

		if (item->kind == ITEM_VIEW && item_exists(item, schema))
			appendStringInfo(&sql, "DROP VIEW crm.%s CASCADE;", quote_identifier(item->name));
	}
	/* SQL functions and views first, so that no table drags code along. */
	appendStringInfoString(&sql,
						   "DO $do$ DECLARE f regprocedure; k \"char\"; BEGIN "
						   "FOR f, k IN SELECT p.oid, p.prokind FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'crm'::regnamespace "
						   "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass "
						   "AND d.objid = p.oid AND d.deptype = 'e') AND p.proowner = current_user::regrole LOOP "
	/* an earlier one may have taken it along */
						   "CONTINUE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = f); "
						   "EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', f); END LOOP; END $do$;");
	if (SPI_execute(sql.data, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql.data);

	resetStringInfo(&sql);
	foreach(lc, script->items)
	{
		SchemaItem	   *item = lfirst(lc);

		if (item->kind == ITEM_TABLE && item_exists(item, schema))
			appendStringInfo(&sql, "ALTER TABLE crm.%s SET SCHEMA %s;", quote_identifier(item->name), target);
	}
	if (sql.len > 0 && SPI_execute(sql.data, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql.data);
	return target;
}

/* One text value of a query that returns at most one row, or NULL. */
static char *
query_text(const char *sql)
{
	char	   *value;

	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", sql);
	if (SPI_processed == 0)
		return NULL;
	value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return value;
}

/*
 * The shortest chain of deltas from one version to another, as a list of
 * versions to go through (String nodes, the last one "to").
 */
static List *
find_deltas(const char *from, const char *to)
{
	Delta		deltas[MAX_DELTAS];
	int			previous[MAX_DELTAS];	/* the delta before, -1 at the start */
	int			ndeltas = 0;
	List	   *queue = NIL;
	char	   *directory = script_directory();
	DIR		   *dir = AllocateDir(directory);
	struct dirent *entry;
	static const char prefix[] = "crm-schema--";

	while ((entry = ReadDir(dir, directory)) != NULL)
	{
		char	   *name = entry->d_name;
		char	   *body,
				   *middle,
				   *end;

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		body = pstrdup(name + strlen(prefix));
		end = strstr(body, ".sql");
		middle = strstr(body, "--");
		if (end == NULL || end[4] != '\0' || middle == NULL || ndeltas >= MAX_DELTAS)
			continue;
		*end = *middle = '\0';
		deltas[ndeltas].from = body;
		deltas[ndeltas].to = middle + 2;
		previous[ndeltas++] = -2;
	}
	FreeDir(dir);

	for (int i = 0; i < ndeltas; i++)
		if (strcmp(deltas[i].from, from) == 0)
		{
			previous[i] = -1;
			queue = lappend_int(queue, i);
		}
	while (queue != NIL)
	{
		int			last = linitial_int(queue);

		queue = list_delete_first(queue);
		if (strcmp(deltas[last].to, to) == 0)
		{
			List	   *path = NIL;

			for (int i = last; i >= 0; i = previous[i])
				path = lcons(makeString(deltas[i].to), path);
			return path;
		}
		for (int i = 0; i < ndeltas; i++)
			if (previous[i] == -2 && strcmp(deltas[i].from, deltas[last].to) == 0)
			{
				previous[i] = last;
				queue = lappend_int(queue, i);
			}
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FILE),
			 errmsg("no way to bring the tables of crm from version %s to %s", from, to),
			 errdetail("No chain of files \"%s<from>--<to>.sql\" leads there in \"%s\".", prefix, directory)));
	return NIL;					/* keep compiler quiet */
}

static void
record_version(const char *version, const char *previous)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];

	values[0] = CStringGetTextDatum(version);
	values[1] = previous ? CStringGetTextDatum(previous) : (Datum) 0;
	if (SPI_execute_with_args("INSERT INTO crm.installation (version, previous) VALUES ($1, $2)",
							  2, types, values, previous ? "  " : " n", false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not record the version of crm");
}

static int
count_items(Script *script, SchemaItemKind kind)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, script->items)
		if (((SchemaItem *) lfirst(lc))->kind == kind)
			count++;
	return count;
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * crm.setup() returns text
 *
 * Creates the tables, views, triggers and functions of crm, or brings them to
 * the version of the installed extension; returns what it did.  The caller
 * becomes the owner.  Errors: 42501 for another role than the owner of an
 * existing installation or one that may not create in schema crm, 42710 when
 * objects are in the way, 55000 when parts of an installation are missing.
 */
Datum
crm_setup(PG_FUNCTION_ARGS)
{
	Oid			extension = get_extension_oid("crm", false);
	Oid			schema = get_namespace_oid("crm", false);
	Oid			installation;
	char	   *version;
	char	   *installed = NULL;
	char	   *remains = NULL;
	int			guc_level;
	Script	   *script;
	StringInfoData result;

	/* One set-up at a time, and no DROP EXTENSION under its feet. */
	LockDatabaseObject(ExtensionRelationId, extension, 0, ShareRowExclusiveLock);

	/* Nothing of the session may change what the script means. */
	guc_level = NewGUCNestLevel();
	set_local("search_path", "pg_catalog, pg_temp");
	set_local("check_function_bodies", "on");
	set_local("standard_conforming_strings", "on");
	set_local("transform_null_equals", "off");
	set_local("array_nulls", "on");
	if (client_min_messages < WARNING)
		set_local("client_min_messages", "warning");

	/* What is returned must outlive SPI's memory. */
	initStringInfo(&result);
	SPI_connect();
	version = query_text("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'crm'");
	script = read_script(psprintf("crm-schema--%s.sql", version));

	installation = get_relname_relid("installation", schema);
	if (OidIsValid(installation))
	{
		Oid			owner;
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(installation));

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for relation %u", installation);
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
		if (owner != GetUserId())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("crm has been set up in this database by role \"%s\"",
							GetUserNameFromId(owner, false)),
					 errdetail("The tables of crm have one owner, who alone may update them."),
					 errhint("Use \"SET ROLE %s\" first.", quote_identifier(GetUserNameFromId(owner, false)))));
		if (extension_was_dropped(script, schema))
			remains = move_remains(script, schema);
		else
		{
			installed = query_text("SELECT version FROM crm.installation ORDER BY installation_id DESC LIMIT 1");
			if (installed == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("table crm.installation is there, but names no version"),
						 errhint("If a restore is under way, let it end; otherwise insert the version of the tables.")));
		}
	}
	else if (!crm_may_create(schema))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set up crm in schema \"crm\""),
				 errhint("Call crm.setup() as the owner of the database, or grant CREATE on schema crm.")));

	if (installed == NULL)
	{
		check_nothing_in_the_way(script, schema);
		run_script(script);
		record_version(version, NULL);
		appendStringInfo(&result, "crm %s set up: %d tables, %d views, %d functions, %d triggers",
						 version,
						 count_items(script, ITEM_TABLE), count_items(script, ITEM_VIEW),
						 count_items(script, ITEM_FUNCTION), count_items(script, ITEM_TRIGGER));
		if (remains != NULL)
			appendStringInfo(&result, "; what DROP EXTENSION had left of the former tables is now in schema %s", remains);
	}
	else if (strcmp(installed, version) == 0)
	{
		check_complete(script, schema, version);
		appendStringInfo(&result, "crm %s is set up already: nothing to do", version);
	}
	else
	{
		List	   *path = find_deltas(installed, version);
		char	   *from = installed;
		ListCell   *lc;

		appendStringInfo(&result, "crm updated from %s", installed);
		foreach(lc, path)
		{
			char	   *to = strVal(lfirst(lc));

			run_script(read_script(psprintf("crm-schema--%s--%s.sql", from, to)));
			record_version(to, from);
			appendStringInfo(&result, " to %s", to);
			from = to;
		}
		check_complete(script, schema, version);
	}

	SPI_finish();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(result.data, result.len));
}

static bool announcing = false;

static void
announce_at_commit(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT && announcing)
		ereport(NOTICE,
				(errmsg("extension \"crm\" has brought types and functions"),
				 errhint("Use \"SELECT crm.setup();\" to create its tables, views and triggers, as the role that is to own them.")));
	announcing = false;
}

/*
 * Called at the end of the extension script, in which messages below a warning
 * are turned off: says what to do next once they are on again, at commit.
 */
Datum
crm_announce(PG_FUNCTION_ARGS)
{
	static bool registered = false;

	if (!creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function \"%s\" can be called from the extension script only", "crm.announce")));
	if (!registered)
	{
		RegisterXactCallback(announce_at_commit, NULL);
		registered = true;
	}
	announcing = true;
	PG_RETURN_VOID();
}
