/*-------------------------------------------------------------------------
 *
 * customer_email_math.c
 *	  Reading e-mail addresses, without a server.
 *
 * Accepts what RFC 5321 (and for UTF-8 local parts RFC 6531) lets a mailbox
 * be: a dot-string or a quoted string, "@", a domain name.  Display names,
 * comments, source routes and address literals are no mailboxes of customers
 * and are refused.  The local part is kept as it was written, but for quotes
 * that were not needed; the domain is turned into its lower-case ASCII form
 * (customer_domain_math.c).
 *
 * Two addresses are equal when they are equal but for the case of ASCII
 * letters.  RFC 5321 leaves the case of the local part to the receiving host;
 * no provider tells customers apart by it, and duplicates hurt.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_email_math.h"

#include <string.h>

#include "customer_domain_math.h"
#include "customer_text_math.h"

/* RFC 5322 atext, and any octet of a UTF-8 sequence (RFC 6531). */
static bool
is_atom_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(unsigned char) c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Is this a dot-string: atoms joined by single dots, without white space of Unicode? */
static bool
is_dot_string(const char *p, size_t length)
{
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (p[i] == '.' ? i == 0 || i == length - 1 || p[i - 1] == '.' :
			!is_atom_char(p[i]) || crm_text_space(p + i, p + length) > 0)
			return false;
	return true;
}

/*
 * Copies the local part to "out"; returns what is wrong, or null.  *used is
 * how much of the input it took, *length how long it is.
 */
static const char *
parse_local(const char *p, const char *end, char *out, size_t *used, size_t *length)
{
	const char *start = p;
	size_t		n = 0;

	if (p < end && *p == '"')
	{
		bool		closed = false;
		char		plain[CRM_EMAIL_LOCAL_MAX];
		size_t		plain_length = 0;

		for (p++; p < end && !closed; p++)
		{
			unsigned char c = (unsigned char) *p;

			if (c == '"')
			{
				closed = true;
				continue;
			}
			if (c == '\\')
			{
				if (++p == end)
					return "a backslash is not followed by a character";
				c = (unsigned char) *p;
				/* RFC 5321 4.1.2; and RFC 6531 adds none.  It could also part the octets of a character. */
				if (c >= 0x80)
					return "a backslash is followed by a character that is not of ASCII";
			}
			if (c < 0x20 || c == 0x7f)
				return "the quoted part has a control character";
			if (crm_text_mark(p, end) > 0)
				return "it has an invisible character in it";
			if (plain_length >= sizeof(plain))
				return "the part before the @ is longer than 64 octets";
			plain[plain_length++] = (char) c;
		}
		if (!closed)
			return "the quote is not closed";
		/* Quotes and backslashes that are not needed do not make another mailbox. */
		if (is_dot_string(plain, plain_length))
		{
			memcpy(out, plain, plain_length);
			n = plain_length;
		}
		else
		{
			char		quoted[2 * CRM_EMAIL_LOCAL_MAX + 2];

			quoted[n++] = '"';
			for (size_t i = 0; i < plain_length; i++)
			{
				if (plain[i] == '"' || plain[i] == '\\')
					quoted[n++] = '\\';
				quoted[n++] = plain[i];
			}
			quoted[n++] = '"';
			if (n > CRM_EMAIL_LOCAL_MAX)
				return "the part before the @ is longer than 64 octets";
			memcpy(out, quoted, n);
		}
	}
	else
	{
		while (p < end && *p != '@')
		{
			if (crm_text_space(p, end) > 0)
				return "it has white space in it";
			if (crm_text_mark(p, end) > 0)
				return "it has an invisible character in it";
			if (*p != '.' && !is_atom_char(*p))
				return "the part before the @ has a character that is not allowed there";
			if (n >= CRM_EMAIL_LOCAL_MAX)
				return "the part before the @ is longer than 64 octets";
			out[n++] = *p++;
		}
		if (n == 0)
			return "there is nothing before the @";
		if (!is_dot_string(out, n))
			return "a dot stands at the edge of the part before the @, or beside another";
	}
	*used = p - start;
	*length = n;
	return NULL;
}

/*
 * Reads an address.  "email" has room for CRM_EMAIL_MAX + 1 octets and
 * receives its stored form; *local_length is the length of its local part.
 * Returns null, or what is wrong with the input, as the rest of a sentence.
 */
const char *
crm_email_parse(const char *input, size_t length, char *email, size_t *local_length)
{
	const char *p = input;
	const char *end = input + length;
	const char *fault;
	char		domain[CRM_DOMAIN_INPUT_MAX + 1];
	size_t		used,
				n;

	if (length > CRM_EMAIL_INPUT_MAX)
		return "it is too long";
	crm_text_trim(&p, &end);
	if (p == end)
		return "it is empty";
	if (memchr(p, '@', end - p) == NULL)
		return "it has no @";
	if (end[-1] == '>')
		return "it has a display name or angle brackets around it";

	fault = parse_local(p, end, email, &used, local_length);
	if (fault != NULL)
		return fault;
	p += used;
	if (p == end || *p != '@')
		return "the quoted part is not followed by an @";
	p++;
	if (p == end)
		return "there is nothing after the @";
	if (*p == '[')
		return "the domain is an address literal";

	for (const char *c = p; c < end; c++)
	{
		if (*c == '\0' || crm_text_space(c, end) > 0)
			return "it has white space in it";
		if (*c == '@')
			return "it has more than one @";
	}
	fault = crm_domain_read(p, end - p, CRM_DOMAIN_OF_MAIL, domain);
	if (fault != NULL)
		return fault;
	n = strlen(domain);
	if (*local_length + 1 + n > CRM_EMAIL_MAX)
		return "it is longer than 254 octets";
	email[*local_length] = '@';
	memcpy(email + *local_length + 1, domain, n + 1);
	return NULL;
}

/* Where the @ stands in a stored address: the domain has none. */
size_t
crm_email_at(const char *email, size_t length)
{
	while (length > 0 && email[length - 1] != '@')
		length--;
	return length - 1;
}

/* Order of the octets, ASCII letters as if they were small. */
int
crm_email_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		n = a_length < b_length ? a_length : b_length;

	for (size_t i = 0; i < n; i++)
	{
		unsigned char x = (unsigned char) lower(a[i]);
		unsigned char y = (unsigned char) lower(b[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a_length > b_length) - (a_length < b_length);
}

/* The form in which equal addresses are the same octets. */
void
crm_email_fold(const char *email, size_t length, char *folded)
{
	for (size_t i = 0; i < length; i++)
		folded[i] = lower(email[i]);
}
