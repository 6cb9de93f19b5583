/*-------------------------------------------------------------------------
 *
 * customer_contact.c
 *	  Addresses of contact points: one form for each that equal ones share.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "customer.h"
#include "customer_email_math.h"
#include "customer_phone_math.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* How the addresses of a channel are written. */
typedef enum AddressKind
{
	ADDRESS_TEXT,
	ADDRESS_EMAIL,
	ADDRESS_PHONE,
	ADDRESS_HANDLE
} AddressKind;

/* The last channel that was asked for, per call site. */
typedef struct KindCache
{
	Oid			channel;
	AddressKind kind;
} KindCache;

PG_FUNCTION_INFO_V1(crm_canonical_contact);
PG_FUNCTION_INFO_V1(crm_resolve_address);

/* An input as it may stand in a message: not pages of it. */
const char *
crm_clip(const char *input)
{
	int			length = strlen(input);

	if (length <= 200)
		return input;
	return psprintf("%.*s...", pg_mbcliplen(input, length, 200), input);
}

/* By the label of the channel: its number may differ between databases. */
static AddressKind
address_kind(FunctionCallInfo fcinfo)
{
	Oid			channel = PG_GETARG_OID(0);
	KindCache  *cache = fcinfo->flinfo->fn_extra;
	HeapTuple	tuple;
	const char *label;

	if (cache != NULL && cache->channel == channel)
		return cache->kind;
	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KindCache));

	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(channel));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid internal value for enum: %u", channel)));
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	if (strcmp(label, "email") == 0)
		cache->kind = ADDRESS_EMAIL;
	else if (strcmp(label, "phone") == 0 || strcmp(label, "sms") == 0 || strcmp(label, "fax") == 0)
		cache->kind = ADDRESS_PHONE;
	else if (strcmp(label, "social") == 0)
		cache->kind = ADDRESS_HANDLE;
	else
		cache->kind = ADDRESS_TEXT;
	cache->channel = channel;
	ReleaseSysCache(tuple);
	return cache->kind;
}

/* White space at the edges gone, inside collapsed; ASCII letters small. */
static char *
fold_text(const char *input, bool handle)
{
	char	   *folded = palloc(strlen(input) + 1);
	char	   *out = folded;

	while ((!IS_HIGHBIT_SET(*input) && isspace((unsigned char) *input)) || (handle && *input == '@'))
		input++;
	for (; *input != '\0'; input++)
	{
		if (!IS_HIGHBIT_SET(*input) && isspace((unsigned char) *input))
		{
			if (out[-1] != ' ')
				*out++ = ' ';
		}
		else
			*out++ = *input >= 'A' && *input <= 'Z' ? *input + ('a' - 'A') : *input;
	}
	if (out > folded && out[-1] == ' ')
		out--;
	*out = '\0';
	if (out == folded)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("address of a contact point is empty")));
	return folded;
}

/*
 * crm.canonical_contact(channel crm.channel, address text) returns text
 *
 * The form in which equal addresses are equal.  Depends on nothing but its
 * arguments.  Errors: 22P02 for what is no address of the channel.
 */
Datum
crm_canonical_contact(PG_FUNCTION_ARGS)
{
	char	   *address = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *fault;

	switch (address_kind(fcinfo))
	{
		case ADDRESS_EMAIL:
			{
				char		email[CRM_EMAIL_MAX + 1];

				fault = crm_email_read(address, strlen(address), email);
				if (fault != NULL)
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
							 errmsg("\"%s\" is not an e-mail address", crm_clip(address)),
							 errdetail("In this value, %s.", fault)));
				crm_email_fold(email, strlen(email) + 1, email);
				PG_RETURN_TEXT_P(cstring_to_text(email));
			}
		case ADDRESS_PHONE:
			{
				char		number[CRM_PHONE_TEXT_SIZE];
				int64_t		phone;

				fault = crm_phone_parse(address, &phone);
				if (fault != NULL)
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
							 errmsg("\"%s\" is not a telephone number in international form", crm_clip(address)),
							 errdetail("In this value, %s.", fault),
							 errhint("Give the number with its country code, as in +49211123456.")));
				crm_phone_print(phone, number);
				PG_RETURN_TEXT_P(cstring_to_text(number));
			}
		case ADDRESS_HANDLE:
			PG_RETURN_TEXT_P(cstring_to_text(fold_text(address, true)));
		case ADDRESS_TEXT:
			break;
	}
	PG_RETURN_TEXT_P(cstring_to_text(fold_text(address, false)));
}

/*
 * crm.resolve_address(channel crm.channel, address text, country text) returns text
 *
 * Completes a telephone number in national form by the country, and takes one
 * in international form out of the words around it, with a country or without;
 * anything else comes back as it is.  Errors: 22P02 when a country is needed,
 * or has no such number; 22023 for an unknown country.
 */
Datum
crm_resolve_address(PG_FUNCTION_ARGS)
{
	char	   *address;
	char		number[CRM_PHONE_TEXT_SIZE];
	int64_t		phone;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(1))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	}
	if (address_kind(fcinfo) != ADDRESS_PHONE)
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	address = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (crm_phone_parse(address, &phone) == NULL)
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	phone = crm_phone_from_national(address, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	crm_phone_print(phone, number);
	PG_RETURN_TEXT_P(cstring_to_text(number));
}
