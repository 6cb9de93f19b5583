/*-------------------------------------------------------------------------
 *
 * customer_phone.c
 *	  The type crm.phone_number.
 *
 * 8 bytes, by value: the digits of the E.164 number as an integer.  What is
 * stored depends on no table of numbers that are in use, so a dump comes back
 * whatever the version of libphonenumber; the functions that ask it are
 * STABLE.
 *
 *-------------------------------------------------------------------------
 */
#include "crm.h"

#include "common/hashfn.h"
#include "customer.h"
#include "customer_phone_math.h"
#include "customer_phone_shim.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

/* Leading byte of the binary format. */
#define PHONE_BINARY_VERSION 1

PG_FUNCTION_INFO_V1(crm_phone_number_in);
PG_FUNCTION_INFO_V1(crm_phone_number_out);
PG_FUNCTION_INFO_V1(crm_phone_number_recv);
PG_FUNCTION_INFO_V1(crm_phone_number_send);
PG_FUNCTION_INFO_V1(crm_phone_number_eq);
PG_FUNCTION_INFO_V1(crm_phone_number_ne);
PG_FUNCTION_INFO_V1(crm_phone_number_lt);
PG_FUNCTION_INFO_V1(crm_phone_number_le);
PG_FUNCTION_INFO_V1(crm_phone_number_gt);
PG_FUNCTION_INFO_V1(crm_phone_number_ge);
PG_FUNCTION_INFO_V1(crm_phone_number_cmp);
PG_FUNCTION_INFO_V1(crm_phone_number_hash);
PG_FUNCTION_INFO_V1(crm_phone_number_hash_extended);
PG_FUNCTION_INFO_V1(crm_phone_number_from_text);
PG_FUNCTION_INFO_V1(crm_phone_number_country);
PG_FUNCTION_INFO_V1(crm_phone_number_type);
PG_FUNCTION_INFO_V1(crm_phone_number_format);
PG_FUNCTION_INFO_V1(crm_phone_library_version);

Datum
crm_phone_number_in(PG_FUNCTION_ARGS)
{
	char	   *input = PG_GETARG_CSTRING(0);
	int64		phone;
	const char *fault = crm_phone_parse(input, &phone);

	if (fault != NULL)
		ereturn(crm_escontext(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.phone_number", crm_clip(input)),
				 errdetail("In this value, %s.", fault),
				 errhint("Give the number with its country code, as in +49211123456, or use crm.phone_number(number, country).")));
	PG_RETURN_INT64(phone);
}

Datum
crm_phone_number_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(CRM_PHONE_TEXT_SIZE);

	crm_phone_print(PG_GETARG_INT64(0), text);
	PG_RETURN_CSTRING(text);
}

/* Binary: a version byte, then the digits as int8 in network order. */
Datum
crm_phone_number_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int64		phone;

	if (version != PHONE_BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary format of type %s", version, "crm.phone_number")));
	phone = pq_getmsgint64(buffer);
	if (!crm_phone_valid(phone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type %s: " INT64_FORMAT, "crm.phone_number", phone),
				 errdetail("A telephone number has 7 to 15 digits.")));
	PG_RETURN_INT64(phone);
}

Datum
crm_phone_number_send(PG_FUNCTION_ARGS)
{
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, PHONE_BINARY_VERSION);
	pq_sendint64(&buffer, PG_GETARG_INT64(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

#define COMPARISON(name, test) \
Datum \
crm_phone_number_##name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(PG_GETARG_INT64(0) test PG_GETARG_INT64(1)); \
}

COMPARISON(eq, ==)
COMPARISON(ne, !=)
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

Datum
crm_phone_number_cmp(PG_FUNCTION_ARGS)
{
	int64		a = PG_GETARG_INT64(0);
	int64		b = PG_GETARG_INT64(1);

	PG_RETURN_INT32((a > b) - (a < b));
}

Datum
crm_phone_number_hash(PG_FUNCTION_ARGS)
{
	int64		phone = PG_GETARG_INT64(0);

	return hash_any((unsigned char *) &phone, sizeof(phone));
}

Datum
crm_phone_number_hash_extended(PG_FUNCTION_ARGS)
{
	int64		phone = PG_GETARG_INT64(0);

	return hash_any_extended((unsigned char *) &phone, sizeof(phone), PG_GETARG_INT64(1));
}

/*
 * The number that people in a country would dial when they read the input;
 * without a country (null) the input must have + and a country code, or 00, the
 * international prefix that ITU-T E.123 recommends.  Raises an error when
 * there is none.
 */
int64
crm_phone_from_national(const char *input, const char *country)
{
	char		cleaned[CRM_PHONE_INPUT_MAX + 1];
	char		region[3] = "";
	char	   *digits = cleaned;
	const char *fault;
	int			first_group;
	int64_t		phone;

	if (country != NULL)
	{
		if (strlen(country) != 2 || !isalpha((unsigned char) country[0]) || !isalpha((unsigned char) country[1]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" is not a country code", crm_clip(country)),
					 errhint("Country codes are ISO 3166-1 alpha-2, such as DE.")));
		region[0] = pg_toupper((unsigned char) country[0]);
		region[1] = pg_toupper((unsigned char) country[1]);
	}

	fault = crm_phone_clean(input, cleaned, &first_group);
	if (fault == NULL && country == NULL)
	{
		if (strncmp(cleaned, "00", 2) == 0)
		{
			digits++;
			*digits = '+';
		}
		if (*digits != '+')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("\"%s\" is not a telephone number in international form", crm_clip(input)),
					 errhint("Give the number with its country code, as in +49211123456, or set the customer's country.")));
	}
	if (fault == NULL)
	{
		/* what has a country code is no matter of the country, which may be one without telephones */
		if (*digits == '+')
			region[0] = '\0';
		switch (crm_phone_lookup(digits, first_group, region, &phone))
		{
			case CRM_PHONE_OK:
				if (crm_phone_valid(phone))
					return phone;
				/* FALLTHROUGH */
			case CRM_PHONE_NOT_VALID:
				fault = region[0] == '\0' ? "there is no such number" : psprintf("there is no such number in %s", region);
				break;
			case CRM_PHONE_AMBIGUOUS:
				fault = "the country code may be meant or not; write it with +";
				break;
			case CRM_PHONE_UNKNOWN_COUNTRY:
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("no telephone numbers are known for country \"%s\"", region),
						 errhint("Country codes are ISO 3166-1 alpha-2, such as DE.")));
				break;
			case CRM_PHONE_FAILED:
				ereport(ERROR,
						(errcode(ERRCODE_OUT_OF_MEMORY),
						 errmsg("could not read telephone number \"%s\"", crm_clip(input))));
				break;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", "crm.phone_number", crm_clip(input)),
			 errdetail("In this value, %s.", fault)));
	return 0;					/* keep compiler quiet */
}

/* crm.phone_number(number text, default_country text) */
Datum
crm_phone_number_from_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(crm_phone_from_national(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

static void
library_failed(int64 phone)
{
	char		text[CRM_PHONE_TEXT_SIZE];

	crm_phone_print(phone, text);
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("could not look up telephone number %s", text)));
}

Datum
crm_phone_number_country(PG_FUNCTION_ARGS)
{
	char		country[8];
	const char *type;

	if (crm_phone_describe(PG_GETARG_INT64(0), country, sizeof(country), &type) != CRM_PHONE_OK)
		library_failed(PG_GETARG_INT64(0));
	if (country[0] == '\0')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(country));
}

Datum
crm_phone_number_type(PG_FUNCTION_ARGS)
{
	char		country[8];
	const char *type;

	if (crm_phone_describe(PG_GETARG_INT64(0), country, sizeof(country), &type) != CRM_PHONE_OK)
		library_failed(PG_GETARG_INT64(0));
	PG_RETURN_TEXT_P(cstring_to_text(type));
}

Datum
crm_phone_number_format(PG_FUNCTION_ARGS)
{
	static const char *const styles[] = {"e164", "international", "national", "rfc3966"};
	char	   *style = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char		written[128];

	for (int i = 0; i < lengthof(styles); i++)
		if (strcmp(style, styles[i]) == 0)
		{
			if (crm_phone_write(PG_GETARG_INT64(0), (CrmPhoneStyle) i, written, sizeof(written)) != CRM_PHONE_OK)
				library_failed(PG_GETARG_INT64(0));
			PG_RETURN_TEXT_P(cstring_to_text(written));
		}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown style of telephone numbers: \"%s\"", crm_clip(style)),
			 errhint("Styles are e164, international, national and rfc3966.")));
	PG_RETURN_NULL();			/* keep compiler quiet */
}

/*
 * crm.phone_library_version() returns text
 *
 * Version of the libphonenumber in use, as far as its file is named by it;
 * null where it is not.
 */
Datum
crm_phone_library_version(PG_FUNCTION_ARGS)
{
	char		version[64];

	if (crm_phone_version(version, sizeof(version)) != CRM_PHONE_OK)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}
