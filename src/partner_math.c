/*-------------------------------------------------------------------------
 *
 * partner_math.c
 *	  The arithmetic of crm.responsibility, without a server call.
 *
 *-------------------------------------------------------------------------
 */
#include "partner_math.h"

#include <string.h>

const char *const crm_resp_role_names[CRM_RESP_ROLES] =
{"accountable", "responsible", "consulted", "informed"};
const char *const crm_resp_duty_names[CRM_RESP_DUTIES] =
{"acquire", "advise", "sell", "deliver", "service", "collect", "retain", "market"};
const char *const crm_resp_channel_names[CRM_RESP_CHANNELS] =
{"phone", "social", "email", "letter", "fax", "visit", "sms", "chat", "web", "other"};

static uint64_t
channels_of(crm_resp v)
{
	return v & CRM_RESP_CHANNEL_MASK;
}

/* The channels as a set: none named means all, also those of later versions. */
static uint64_t
expanded(crm_resp v)
{
	return channels_of(v) ? channels_of(v) : CRM_RESP_CHANNEL_MASK;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/* The number of a name of the given length in a table, without regard to the case of ASCII; -1: none. */
int
crm_resp_find(const char *const *names, int count, const char *name, size_t length)
{
	for (int i = 0; i < count; i++)
	{
		size_t		at = 0;

		if (strlen(names[i]) != length)
			continue;
		while (at < length && lower(name[at]) == names[i][at])
			at++;
		if (at == length)
			return i;
	}
	return -1;
}

/* Only these bit patterns are values: some duty, known channels, no reserved bit. */
bool
crm_resp_valid(uint64_t v)
{
	uint64_t	known = CRM_RESP_DUTY_MASK |
		((((uint64_t) 1 << CRM_RESP_CHANNELS) - 1) << CRM_RESP_CHANNEL_SHIFT) |
		((uint64_t) 3 << CRM_RESP_ROLE_SHIFT);

	return (v & ~known) == 0 && (v & CRM_RESP_DUTY_MASK) != 0;
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	return p;
}

static size_t
word_length(const char *p)
{
	size_t		length = 0;

	while ((p[length] >= 'a' && p[length] <= 'z') || (p[length] >= 'A' && p[length] <= 'Z'))
		length++;
	return length;
}

/*
 * Read names separated by commas, adding the bit of each; a name may come
 * twice.  Returns the place after the last name, NULL at an unknown one.
 */
static const char *
parse_names(const char *p, const char *const *names, int count, int shift, uint64_t *bits)
{
	for (;;)
	{
		size_t		length;
		int			number;

		p = skip_space(p);
		length = word_length(p);
		number = crm_resp_find(names, count, p, length);
		if (number < 0)
			return NULL;
		*bits |= (uint64_t) 1 << (shift + number);
		p = skip_space(p + length);
		if (*p != ',')
			return p;
		p++;
	}
}

/*
 * Read "role: duty, duty via channel, channel".  Returns NULL, or what is
 * wrong as a full sentence.
 */
const char *
crm_resp_parse(const char *text, crm_resp *result)
{
	const char *p = skip_space(text);
	size_t		length = word_length(p);
	int			role = crm_resp_find(crm_resp_role_names, CRM_RESP_ROLES, p, length);
	uint64_t	v;

	if (role < 0)
		return "The role must be accountable, responsible, consulted or informed.";
	p = skip_space(p + length);
	if (*p != ':')
		return "A colon must follow the role.";
	v = (uint64_t) role << CRM_RESP_ROLE_SHIFT;
	p = parse_names(p + 1, crm_resp_duty_names, CRM_RESP_DUTIES, 0, &v);
	if (p == NULL)
		return "Duties are acquire, advise, sell, deliver, service, collect, retain and market; at least one must be named.";
	length = word_length(p);
	if (length == 3 && lower(p[0]) == 'v' && lower(p[1]) == 'i' && lower(p[2]) == 'a')
	{
		p = parse_names(p + length, crm_resp_channel_names, CRM_RESP_CHANNELS, CRM_RESP_CHANNEL_SHIFT, &v);
		if (p == NULL)
			return "Channels are phone, social, email, letter, fax, visit, sms, chat, web and other; without \"via\" all are meant.";
	}
	if (*p != '\0')
		return "Junk after the last name.";
	*result = v;
	return NULL;
}

static size_t
format_names(char *text, const char *const *names, int count, uint64_t bits)
{
	size_t		used = 0;

	for (int i = 0; i < count; i++)
	{
		size_t		length = strlen(names[i]);

		if (!(bits >> i & 1))
			continue;
		if (used > 0)
		{
			memcpy(text + used, ", ", 2);
			used += 2;
		}
		memcpy(text + used, names[i], length);
		used += length;
	}
	return used;
}

/* Write the one text of a value to CRM_RESP_TEXT_SIZE bytes; returns its length. */
size_t
crm_resp_format(crm_resp v, char *text)
{
	const char *role = crm_resp_role_names[CRM_RESP_ROLE(v)];
	size_t		used = strlen(role);

	memcpy(text, role, used);
	memcpy(text + used, ": ", 2);
	used += 2;
	used += format_names(text + used, crm_resp_duty_names, CRM_RESP_DUTIES, v & CRM_RESP_DUTY_MASK);
	if (channels_of(v))
	{
		memcpy(text + used, " via ", 5);
		used += 5;
		used += format_names(text + used, crm_resp_channel_names, CRM_RESP_CHANNELS,
							 channels_of(v) >> CRM_RESP_CHANNEL_SHIFT);
	}
	text[used] = '\0';
	return used;
}

/* The operators, exactly.  Only a responsibility for all channels covers one for all. */
bool
crm_resp_test(CrmRespOperator op, crm_resp a, crm_resp b)
{
	switch (op)
	{
		case CRM_RESP_CONFLICTS:
			return CRM_RESP_ROLE(a) == CRM_RESP_ACCOUNTABLE && CRM_RESP_ROLE(b) == CRM_RESP_ACCOUNTABLE &&
				(a & b & CRM_RESP_DUTY_MASK) != 0 && (expanded(a) & expanded(b)) != 0;
		case CRM_RESP_EQUALS:
			return a == b;
		case CRM_RESP_COVERS:
			return CRM_RESP_ROLE(a) == CRM_RESP_ROLE(b) && (b & ~a & CRM_RESP_DUTY_MASK) == 0 &&
				(channels_of(a) == 0 || (expanded(b) & ~expanded(a)) == 0);
		case CRM_RESP_COVERED:
			return crm_resp_test(CRM_RESP_COVERS, b, a);
	}
	return false;
}

/* The least responsibility that covers both; they must have the same role. */
CrmRespResult
crm_resp_union(crm_resp a, crm_resp b, crm_resp *result)
{
	if (CRM_RESP_ROLE(a) != CRM_RESP_ROLE(b))
		return CRM_RESP_SPLIT;
	*result = a | b;
	if (channels_of(a) == 0 || channels_of(b) == 0)
		*result &= ~CRM_RESP_CHANNEL_MASK;
	return CRM_RESP_VALUE;
}

/* The greatest responsibility that both cover. */
CrmRespResult
crm_resp_intersect(crm_resp a, crm_resp b, crm_resp *result)
{
	uint64_t	duties = a & b & CRM_RESP_DUTY_MASK;
	uint64_t	channels = expanded(a) & expanded(b);

	if (CRM_RESP_ROLE(a) != CRM_RESP_ROLE(b) || duties == 0 || channels == 0)
		return CRM_RESP_EMPTY;
	if (channels == CRM_RESP_CHANNEL_MASK)
		channels = 0;
	*result = (a & ((uint64_t) 3 << CRM_RESP_ROLE_SHIFT)) | duties | channels;
	return CRM_RESP_VALUE;
}

/*
 * What is left of a without b.  Where b takes some duties over some channels
 * only, two rectangles would be left: no single value, as with ranges.
 */
CrmRespResult
crm_resp_difference(crm_resp a, crm_resp b, crm_resp *result)
{
	crm_resp	common;
	uint64_t	known = (((uint64_t) 1 << CRM_RESP_CHANNELS) - 1) << CRM_RESP_CHANNEL_SHIFT;
	uint64_t	left;

	if (crm_resp_intersect(a, b, &common) == CRM_RESP_EMPTY)
	{
		*result = a;
		return CRM_RESP_VALUE;
	}
	left = a & ~b & CRM_RESP_DUTY_MASK;
	if (channels_of(common) == channels_of(a))
	{
		if (left == 0)
			return CRM_RESP_EMPTY;
		*result = (a & ~CRM_RESP_DUTY_MASK) | left;
		return CRM_RESP_VALUE;
	}
	if (left != 0)
		return CRM_RESP_SPLIT;
	left = expanded(a) & ~expanded(b) & known;
	if (left == 0)
		return CRM_RESP_EMPTY;
	*result = (a & ~CRM_RESP_CHANNEL_MASK) | left;
	return CRM_RESP_VALUE;
}

uint64_t
crm_resp_key(crm_resp v)
{
	return (v & CRM_RESP_DUTY_MASK) | expanded(v) | CRM_KEY_ROLE(CRM_RESP_ROLE(v)) |
		(channels_of(v) ? CRM_KEY_NAMED : CRM_KEY_ALL);
}

/* The responsibility whose key this is; only for keys of one responsibility. */
crm_resp
crm_resp_of_key(uint64_t key)
{
	crm_resp	v = key & CRM_RESP_DUTY_MASK;

	for (int role = 0; role < CRM_RESP_ROLES; role++)
		if (key & CRM_KEY_ROLE(role))
			v |= (uint64_t) role << CRM_RESP_ROLE_SHIFT;
	if (key & CRM_KEY_NAMED)
		v |= channels_of(key);
	return v;
}

/* May a responsibility under this inner key satisfy "responsibility op query"? */
bool
crm_resp_key_may(CrmRespOperator op, uint64_t key, crm_resp query)
{
	uint64_t	wanted = crm_resp_key(query);

	if (!(key & CRM_KEY_ROLE(CRM_RESP_ROLE(query))))
		return false;
	switch (op)
	{
		case CRM_RESP_CONFLICTS:
			return CRM_RESP_ROLE(query) == CRM_RESP_ACCOUNTABLE &&
				(key & wanted & CRM_RESP_DUTY_MASK) != 0 && (key & wanted & CRM_RESP_CHANNEL_MASK) != 0;
		case CRM_RESP_EQUALS:
			return (wanted & ~key) == 0;
		case CRM_RESP_COVERS:
			/* one for all channels covers a named one too */
			return (wanted & ~CRM_KEY_NAMED & ~key) == 0;
		case CRM_RESP_COVERED:
			return (key & wanted & CRM_RESP_DUTY_MASK) != 0 && (key & wanted & CRM_RESP_CHANNEL_MASK) != 0 &&
				((wanted & CRM_KEY_ALL) || (key & CRM_KEY_NAMED));
	}
	return false;
}

int
crm_resp_key_bits(uint64_t key)
{
	int			bits = 0;

	for (; key != 0; key &= key - 1)
		bits++;
	return bits;
}

/*
 * The bit that divides the keys most evenly: roles first among equals, then
 * duties, then channels, so that a page tends to hold one role and few
 * duties.  -1 when none leaves a quarter on either side.
 */
int
crm_resp_key_split(const uint64_t *keys, int count)
{
	int			best = -1;
	int			most = count / 4;

	for (int i = 0; i < 30; i++)
	{
		int			bit = i < 4 ? 24 + i : i < 12 ? i - 4 : i < 28 ? i - 4 : i;
		int			with = 0;

		for (int k = 0; k < count; k++)
			with += (int) (keys[k] >> bit & 1);
		if (with > count - with)
			with = count - with;
		if (with > most)
		{
			most = with;
			best = bit;
		}
	}
	return best;
}
