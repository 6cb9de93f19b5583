/* build: src/partner_math.c */
/*
 * crm.responsibility without a server: text, operators against their
 * definition on sets, and index keys that never hide an entry.
 */
#include "partner_math.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

static crm_resp
random_value(void)
{
	uint64_t	r = random_bits();
	uint64_t	duties = r & 0xFF ? r & 0xFF : 1;
	uint64_t	channels = (r >> 8) & 0x3FF;

	switch (r >> 40 & 3)
	{
		case 0:
			channels = 0;
			break;
		case 1:
			channels &= random_bits() & random_bits();
			break;
		case 2:
			duties &= random_bits() | 2;
			break;
	}
	if (duties == 0)
		duties = 2;
	return duties | channels << 8 | (r >> 50 & 3) << 24;
}

/* Membership of (duty, channel) cells, with an eleventh channel for "all". */
static bool
cell(crm_resp v, int duty, int channel)
{
	if (!(v >> duty & 1))
		return false;
	return (v & CRM_RESP_CHANNEL_MASK) == 0 || (channel < 10 && (v >> (8 + channel) & 1));
}

static bool
reference(CrmRespOperator op, crm_resp a, crm_resp b)
{
	bool		common = false;
	bool		a_in_b = true;
	bool		b_in_a = true;

	for (int d = 0; d < 8; d++)
		for (int c = 0; c < 11; c++)
		{
			bool		x = cell(a, d, c);
			bool		y = cell(b, d, c);

			common |= x && y;
			a_in_b &= !x || y;
			b_in_a &= !y || x;
		}
	if (op == CRM_RESP_CONFLICTS)
		return common && CRM_RESP_ROLE(a) == 0 && CRM_RESP_ROLE(b) == 0;
	if (CRM_RESP_ROLE(a) != CRM_RESP_ROLE(b))
		return false;
	return op == CRM_RESP_COVERS ? b_in_a : op == CRM_RESP_COVERED ? a_in_b : a_in_b && b_in_a;
}

int
main(void)
{
	char		text[CRM_RESP_TEXT_SIZE];
	crm_resp	v;
	bool		good = true;
	size_t		longest = 0;
	static const char *const wrong[] = {
		"", "accountable", "accountable:", "accountable: ", ": sell", "accountable sell", "accountable: fly",
		"accountable: sell,", "accountable: ,sell", "accountable: sell service", "accountable: sell via",
		"accountable: sell via pigeon", "accountable: sell via phone,", "accountable: via phone",
		"accountable: sell via phone via email", "accountable: sell;", "owner: sell", "accountable: sell via all",
		"accountable: sell viaphone", "accountable: sell v phone", "accountable: s\xc3\xa9ll", "accountables: sell"
	};

	for (uint64_t role = 0; role < 4; role++)
		for (uint64_t duties = 1; duties < 256; duties++)
			for (uint64_t channels = 0; channels < 1024; channels += channels < 32 ? 1 : 31)
			{
				crm_resp	in = role << 24 | channels << 8 | duties;
				crm_resp	out = 0;
				size_t		length = crm_resp_format(in, text);

				if (length > longest)
					longest = length;
				good &= length == strlen(text) && crm_resp_valid(in) && crm_resp_parse(text, &out) == NULL && out == in;
				good &= crm_resp_of_key(crm_resp_key(in)) == in;
			}
	ok(good, "text and index key of every role, duty mask and many channel masks round-trip");
	crm_resp_format((crm_resp) 0x3FFFF, text);
	ok(longest < CRM_RESP_TEXT_SIZE && strlen(text) < CRM_RESP_TEXT_SIZE, "the longest text fits");
	ok(crm_resp_parse(" ACCOUNTABLE :service,sell , sell Via email,\tphone ", &v) == NULL &&
	   (crm_resp_format(v, text), strcmp(text, "accountable: sell, service via phone, email") == 0),
	   "case, order, blanks and repetition do not matter");
	good = true;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (crm_resp_parse(wrong[i], &v) == NULL)
		{
			printf("# taken: %s\n", wrong[i]);
			good = false;
		}
	ok(good, "what is no responsibility is refused");
	good = !crm_resp_valid(0) && !crm_resp_valid(1 << 8) && crm_resp_valid(1);
	for (int bit = 18; bit < 64; bit++)
		good &= crm_resp_valid(1 | (uint64_t) 1 << bit) == (bit == 24 || bit == 25);
	ok(good, "no duty, an unknown channel or a reserved bit is no value");

	good = true;
	for (int i = 0; i < 300000; i++)
	{
		crm_resp	a = random_value();
		crm_resp	b = i % 7 == 0 ? a : random_value();

		for (int op = CRM_RESP_CONFLICTS; op <= CRM_RESP_COVERED; op++)
			good &= crm_resp_test((CrmRespOperator) op, a, b) == reference((CrmRespOperator) op, a, b);
	}
	ok(good, "operators agree with their definition on sets of duty and channel");

	good = true;
	for (int i = 0; i < 200000; i++)
	{
		crm_resp	a = random_value();
		crm_resp	b = (random_value() & ~((uint64_t) 3 << 24)) | (i % 4 ? a & ((uint64_t) 3 << 24) : (uint64_t) (i & 3) << 24);
		crm_resp	u = 0;
		crm_resp	n = 0;
		crm_resp	d = 0;
		bool		same_role = CRM_RESP_ROLE(a) == CRM_RESP_ROLE(b);

		good &= (crm_resp_union(a, b, &u) == CRM_RESP_VALUE) == same_role;
		if (same_role)
			good &= crm_resp_valid(u) && crm_resp_test(CRM_RESP_COVERS, u, a) && crm_resp_test(CRM_RESP_COVERS, u, b);
		if (crm_resp_intersect(a, b, &n) == CRM_RESP_VALUE)
			for (int duty = 0; duty < 8; duty++)
				for (int c = 0; c < 11; c++)
					good &= cell(n, duty, c) == (cell(a, duty, c) && cell(b, duty, c));
		else
			good &= !same_role || !crm_resp_test(CRM_RESP_CONFLICTS, a & ~((uint64_t) 3 << 24), b & ~((uint64_t) 3 << 24));
		if (crm_resp_difference(a, b, &d) == CRM_RESP_VALUE)
		{
			good &= crm_resp_valid(d);
			for (int duty = 0; duty < 8; duty++)
				for (int c = 0; c < 10; c++)
					good &= cell(d, duty, c) == (cell(a, duty, c) && !(same_role && cell(b, duty, c)));
		}
	}
	ok(good, "union covers both, intersection and difference are those of sets");

	good = true;
	for (int i = 0; i < 20000; i++)
	{
		crm_resp	values[8];
		uint64_t	key = 0;
		crm_resp	query = random_value();

		for (int k = 0; k < 8; k++)
			key |= crm_resp_key(values[k] = random_value());
		for (int k = 0; k < 8; k++)
			for (int op = CRM_RESP_CONFLICTS; op <= CRM_RESP_COVERED; op++)
				good &= !crm_resp_test((CrmRespOperator) op, values[k], query) ||
					crm_resp_key_may((CrmRespOperator) op, key, query);
	}
	ok(good, "an inner key never hides an entry");

	{
		static uint64_t keys[100000];
		const int	count = 100000;
		int			bit;
		int			with = 0;

		for (int i = 0; i < count; i++)
			keys[i] = crm_resp_key(random_value());
		bit = crm_resp_key_split(keys, count);
		for (int i = 0; bit >= 0 && i < count; i++)
			with += (int) (keys[i] >> bit & 1);
		ok(bit >= 0 && with > count / 4 && with < count - count / 4, "random keys split by a bit, a quarter at least on either side");
		for (int i = 0; i < count; i++)
			keys[i] = keys[0];
		ok(crm_resp_key_split(keys, count) == -1, "identical keys have no bit to split by");
	}
	return done_testing();
}
