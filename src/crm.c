/*-------------------------------------------------------------------------
 *
 * crm.c
 *	  The module: magic block, settings.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "utils/builtins.h"
#include "utils/guc.h"

CRM_MODULE_MAGIC;

int			crm_loop_mode = CRM_LOOP_IMMEDIATE;

static const struct config_enum_entry loop_modes[] = {
	{"immediate", CRM_LOOP_IMMEDIATE, false},
	{"deferred", CRM_LOOP_DEFERRED, false},
	{NULL, 0, false}
};

void		_PG_init(void);

PG_FUNCTION_INFO_V1(crm_version);

void
_PG_init(void)
{
	DefineCustomEnumVariable("crm.loop",
							 "When new interactions and purchases move the derived tables.",
							 "immediate: in the statement that writes them. deferred: when crm.analyse() is called.",
							 &crm_loop_mode,
							 CRM_LOOP_IMMEDIATE,
							 loop_modes,
							 PGC_USERSET,
							 0,
							 NULL, NULL, NULL);

	MarkGUCPrefixReserved("crm");
}

/*
 * crm.version() returns text
 *
 * The version of the loaded library, to compare with the installed scripts.
 */
Datum
crm_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CRM_VERSION));
}
