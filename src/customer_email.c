/*-------------------------------------------------------------------------
 *
 * customer_email.c
 *	  The type crm.email_address.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "common/hashfn.h"
#include "customer.h"
#include "customer_domain_math.h"
#include "customer_email_math.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

/* Leading byte of the binary format. */
#define EMAIL_BINARY_VERSION 1

PG_FUNCTION_INFO_V1(crm_email_address_in);
PG_FUNCTION_INFO_V1(crm_email_address_out);
PG_FUNCTION_INFO_V1(crm_email_address_recv);
PG_FUNCTION_INFO_V1(crm_email_address_send);
PG_FUNCTION_INFO_V1(crm_email_address_eq);
PG_FUNCTION_INFO_V1(crm_email_address_ne);
PG_FUNCTION_INFO_V1(crm_email_address_lt);
PG_FUNCTION_INFO_V1(crm_email_address_le);
PG_FUNCTION_INFO_V1(crm_email_address_gt);
PG_FUNCTION_INFO_V1(crm_email_address_ge);
PG_FUNCTION_INFO_V1(crm_email_address_cmp);
PG_FUNCTION_INFO_V1(crm_email_address_hash);
PG_FUNCTION_INFO_V1(crm_email_address_hash_extended);
PG_FUNCTION_INFO_V1(crm_email_address_canonical);
PG_FUNCTION_INFO_V1(crm_email_address_local_part);
PG_FUNCTION_INFO_V1(crm_email_address_domain);
PG_FUNCTION_INFO_V1(crm_email_address_domain_unicode);

/*
 * Reads an address into "email" (CRM_EMAIL_MAX + 1 octets).  Returns null, or
 * what is wrong with it, as the rest of a sentence.
 */
const char *
crm_email_read(const char *input, size_t length, char *email)
{
	const char *fault = NULL;
	size_t		local_length,
				composed_length;
	const char *composed;

	if (length > CRM_EMAIL_INPUT_MAX)
		return "it is too long";
	composed = crm_compose(input, length, &composed_length, &fault);
	if (fault == NULL)
		fault = crm_email_parse(composed, composed_length, email, &local_length);
	if (fault != NULL)
		return fault;
	/* A backslash that was left out may have kept a letter from its accent. */
	composed = crm_compose(email, strlen(email), &composed_length, &fault);
	if (composed != email && fault == NULL)
		fault = crm_email_parse(composed, composed_length, email, &local_length);
	return fault;
}

Datum
crm_email_address_in(PG_FUNCTION_ARGS)
{
	char	   *input = PG_GETARG_CSTRING(0);
	char		email[CRM_EMAIL_MAX + 1];
	const char *fault = crm_email_read(input, strlen(input), email);

	if (fault != NULL)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.email_address",
						crm_clip(input)),
				 errdetail("In this value, %s.", fault)));
	PG_RETURN_TEXT_P(cstring_to_text(email));
}

Datum
crm_email_address_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(TextDatumGetCString(PG_GETARG_DATUM(0)));
}

/*
 * Binary: a version byte, then the address as text in the client's encoding.
 * It is read as text input is, so what is stored is the stored form whatever
 * came in.
 */
Datum
crm_email_address_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int			length;
	char	   *input;
	char		email[CRM_EMAIL_MAX + 1];
	const char *fault;

	if (version != EMAIL_BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary format of type %s", version, "crm.email_address")));
	input = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &length);
	fault = crm_email_read(input, length, email);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.email_address",
						crm_clip(input)),
				 errdetail("In this value, %s.", fault)));
	PG_RETURN_TEXT_P(cstring_to_text(email));
}

Datum
crm_email_address_send(PG_FUNCTION_ARGS)
{
	text	   *email = PG_GETARG_TEXT_PP(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, EMAIL_BINARY_VERSION);
	pq_sendtext(&buffer, VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static int
compare_arguments(FunctionCallInfo fcinfo)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	int			result = crm_email_compare(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
										   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

#define COMPARISON(name, test) \
Datum \
crm_email_address_##name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(compare_arguments(fcinfo) test 0); \
}

COMPARISON(eq, ==)
COMPARISON(ne, !=)
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

Datum
crm_email_address_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

/* The folded form of the argument; its length in *length. */
static char *
fold_argument(FunctionCallInfo fcinfo, int *length)
{
	text	   *email = PG_GETARG_TEXT_PP(0);
	char	   *folded;

	*length = VARSIZE_ANY_EXHDR(email);
	folded = palloc(*length + 1);
	crm_email_fold(VARDATA_ANY(email), *length, folded);
	PG_FREE_IF_COPY(email, 0);
	return folded;
}

Datum
crm_email_address_hash(PG_FUNCTION_ARGS)
{
	int			length;
	char	   *folded = fold_argument(fcinfo, &length);
	Datum		hash = hash_any((unsigned char *) folded, length);

	pfree(folded);
	return hash;
}

Datum
crm_email_address_hash_extended(PG_FUNCTION_ARGS)
{
	int			length;
	char	   *folded = fold_argument(fcinfo, &length);
	Datum		hash = hash_any_extended((unsigned char *) folded, length, PG_GETARG_INT64(1));

	pfree(folded);
	return hash;
}

Datum
crm_email_address_canonical(PG_FUNCTION_ARGS)
{
	int			length;
	char	   *folded = fold_argument(fcinfo, &length);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(folded, length));
}

Datum
crm_email_address_local_part(PG_FUNCTION_ARGS)
{
	text	   *email = PG_GETARG_TEXT_PP(0);
	size_t		at = crm_email_at(VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(VARDATA_ANY(email), at));
}

Datum
crm_email_address_domain(PG_FUNCTION_ARGS)
{
	text	   *email = PG_GETARG_TEXT_PP(0);
	size_t		at = crm_email_at(VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(VARDATA_ANY(email) + at + 1, VARSIZE_ANY_EXHDR(email) - at - 1));
}

/*
 * crm.domain_unicode(email crm.email_address) returns text
 *
 * The domain as people write it, to show it; in databases of other encodings
 * than UTF-8 as it is stored.
 */
Datum
crm_email_address_domain_unicode(PG_FUNCTION_ARGS)
{
	text	   *email = PG_GETARG_TEXT_PP(0);
	const char *address = VARDATA_ANY(email);
	size_t		length = VARSIZE_ANY_EXHDR(email);
	size_t		at = crm_email_at(address, length);
	char		shown[CRM_DOMAIN_UNICODE_MAX + 1];

	if (GetDatabaseEncoding() != PG_UTF8)
		PG_RETURN_TEXT_P(cstring_to_text_with_len(address + at + 1, length - at - 1));
	crm_domain_unicode(address + at + 1, length - at - 1, shown);
	PG_RETURN_TEXT_P(cstring_to_text(shown));
}
