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
#include "common/string.h"
#include "common/unicode_norm.h"
#include "customer.h"
#include "customer_email_math.h"
#include "customer_phone_math.h"
#include "customer_text_math.h"
#include "customer_web_math.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* How the addresses of a channel are written. */
typedef enum AddressKind
{
	ADDRESS_TEXT,
	ADDRESS_EMAIL,
	ADDRESS_PHONE,
	ADDRESS_WEB,
	ADDRESS_HANDLE
} AddressKind;

/* The last channel that was asked for, per call site. */
typedef struct KindCache
{
	Oid			channel;
	AddressKind kind;
} KindCache;

/* Longer ones are no addresses; an index could not hold them anyway. */
#define ADDRESS_MAX 8192

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

/* The second argument. */
static char *
read_address(FunctionCallInfo fcinfo)
{
	text	   *address = PG_GETARG_TEXT_PP(1);

	if (VARSIZE_ANY_EXHDR(address) > ADDRESS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("address of a contact point is longer than %d octets", ADDRESS_MAX)));
	return text_to_cstring(address);
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
	else if (strcmp(label, "web") == 0)
		cache->kind = ADDRESS_WEB;
	else if (strcmp(label, "social") == 0)
		cache->kind = ADDRESS_HANDLE;
	else
		cache->kind = ADDRESS_TEXT;
	cache->channel = channel;
	ReleaseSysCache(tuple);
	return cache->kind;
}

/*
 * Brings a text with other than ASCII characters to Unicode's composed form
 * (NFC), so that the same letters are the same octets.  Only UTF-8 databases
 * can: in others, and for what is no UTF-8, *fault says so and the text comes
 * back as it is.
 *
 * An immutable function may use the server's tables: Unicode promises that the
 * composed form of characters that are assigned never changes, and unlike
 * those of a library the tables change with the server's major version only.
 * It is what the server's own normalize() uses, which is immutable too.
 */
const char *
crm_compose(const char *input, size_t length, size_t *composed_length, const char **fault)
{
	pg_wchar   *characters,
			   *composed;
	char	   *result;
	size_t		n = 0;

	*composed_length = length;
	if (pg_is_ascii(input))
		return input;
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		*fault = "it has characters beyond ASCII, which need a database with encoding UTF8";
		return input;
	}
	/* The server checks what clients send; a direct call of the input function is not. */
	if (!pg_verify_mbstr(PG_UTF8, input, length, true))
	{
		*fault = "it is not valid UTF-8";
		return input;
	}
	characters = palloc((length + 1) * sizeof(pg_wchar));
	n = pg_mb2wchar_with_len(input, characters, length);
	characters[n] = 0;
	/* most text is composed already */
	if (unicode_is_normalized_quickcheck(UNICODE_NFC, characters) == UNICODE_NORM_QC_YES)
	{
		pfree(characters);
		return input;
	}
	composed = unicode_normalize(UNICODE_NFC, characters);
	for (n = 0; composed[n] != 0; n++)
		;
	result = palloc(n * 4 + 1);
	*composed_length = 0;
	for (size_t i = 0; i < n; i++)
	{
		unicode_to_utf8(composed[i], (unsigned char *) result + *composed_length);
		*composed_length += pg_utf_mblen((unsigned char *) result + *composed_length);
	}
	result[*composed_length] = '\0';
	pfree(characters);
	pfree(composed);
	return result;
}

/*
 * White space at the edges gone and inside collapsed, invisible marks gone, for
 * a handle also the leading @; then Unicode composed, since a mark may have
 * kept a letter from its accent, and at last, with "fold", ASCII letters small,
 * so that both ways to write an accented capital stay the same.  Outside UTF-8
 * only ASCII's white space is known.  *length is that of the result.
 */
static char *
tidy_text(const char *input, bool handle, bool fold, size_t *length)
{
	const char *fault = NULL;
	const char *end = input + strlen(input);
	bool		unicode = GetDatabaseEncoding() == PG_UTF8;
	char	   *tidy = palloc(end - input + 1);
	char	   *out = tidy;
	bool		space = false;

	for (const char *p = input; p < end;)
	{
		int			n;

		if ((n = unicode || !IS_HIGHBIT_SET(*p) ? crm_text_space(p, end) : 0) > 0)
			space = out > tidy;
		else if ((n = unicode ? crm_text_mark(p, end) : 0) == 0 && !(handle && out == tidy && *p == '@'))
		{
			if (space)
				*out++ = ' ';
			space = false;
			*out++ = *p;
		}
		p += Max(n, 1);
	}
	*out = '\0';
	if (out == tidy)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("address of a contact point is empty")));
	tidy = unconstify(char *, crm_compose(tidy, out - tidy, length, &fault));
	if (fold)
	{
		crm_email_fold(tidy, *length, tidy);
		/* some letters exist with an accent as small letters only */
		tidy = unconstify(char *, crm_compose(tidy, *length, length, &fault));
	}
	return tidy;
}

/* An e-mail address in its stored form. */
static void
read_email(const char *address, char *email)
{
	const char *fault = crm_email_read(address, strlen(address), email);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("\"%s\" is not an e-mail address", crm_clip(address)),
				 errdetail("In this value, %s.", fault)));
}

/* A web address in its canonical form. */
static char *
read_web(const char *address)
{
	size_t		length;
	char	   *tidy = tidy_text(address, false, false, &length);
	char	   *url = palloc(CRM_WEB_SIZE(length));
	const char *fault = crm_web_read(tidy, length, url);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("\"%s\" is not a web address", crm_clip(address)),
				 errdetail("In this value, %s.", fault)));
	return url;
}

/*
 * crm.canonical_contact(channel crm.channel, address text) returns text
 *
 * The form in which equal addresses are equal.  It depends on nothing but its
 * arguments, and for what crm.resolve_address() has resolved not on the tables
 * of any library either: so contact_point.canonical comes out of a restore as
 * it was.  Errors: 22P02 for what is no address of the channel.
 */
Datum
crm_canonical_contact(PG_FUNCTION_ARGS)
{
	char	   *address = read_address(fcinfo);
	AddressKind kind = address_kind(fcinfo);
	size_t		length;

	switch (kind)
	{
		case ADDRESS_EMAIL:
			{
				char		email[CRM_EMAIL_MAX + 1];

				read_email(address, email);
				crm_email_fold(email, strlen(email) + 1, email);
				PG_RETURN_TEXT_P(cstring_to_text(email));
			}
		case ADDRESS_PHONE:
			{
				char		number[CRM_PHONE_TEXT_SIZE];
				int64_t		phone;
				const char *fault = crm_phone_parse(address, &phone);

				if (fault != NULL)
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
							 errmsg("\"%s\" is not a telephone number in international form", crm_clip(address)),
							 errdetail("In this value, %s.", fault),
							 errhint("Give the number with its country code, as in +49211123456.")));
				crm_phone_print(phone, number);
				PG_RETURN_TEXT_P(cstring_to_text(number));
			}
		case ADDRESS_WEB:
			PG_RETURN_TEXT_P(cstring_to_text(read_web(address)));
		case ADDRESS_HANDLE:
		case ADDRESS_TEXT:
			break;
	}
	address = tidy_text(address, kind == ADDRESS_HANDLE, true, &length);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(address, length));
}

/*
 * crm.resolve_address(channel crm.channel, address text, country text) returns text
 *
 * The address in the form that a program can send to, read by tables that
 * change: a telephone number, completed by the country when it is in national
 * form and taken out of the words around it, in E.164; an e-mail address or
 * web address with its domain in ASCII.  Other channels' addresses come back as
 * they are.  Errors: 22P02 for what is no address of the channel, when a
 * country is needed, or has no such number; 22023 for an unknown country.
 */
Datum
crm_resolve_address(PG_FUNCTION_ARGS)
{
	char	   *address;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	address = read_address(fcinfo);
	switch (address_kind(fcinfo))
	{
		case ADDRESS_EMAIL:
			{
				char		email[CRM_EMAIL_MAX + 1];

				read_email(address, email);
				PG_RETURN_TEXT_P(cstring_to_text(email));
			}
		case ADDRESS_PHONE:
			{
				char		number[CRM_PHONE_TEXT_SIZE];
				int64_t		phone;

				if (crm_phone_parse(address, &phone) != NULL)
					phone = crm_phone_from_national(address, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
				crm_phone_print(phone, number);
				PG_RETURN_TEXT_P(cstring_to_text(number));
			}
		case ADDRESS_WEB:
			PG_RETURN_TEXT_P(cstring_to_text(read_web(address)));
		case ADDRESS_HANDLE:
		case ADDRESS_TEXT:
			break;
	}
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
