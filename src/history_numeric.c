/*-------------------------------------------------------------------------
 *
 * history_numeric.c
 *	  Amounts of money from values of type numeric.
 *
 * The server exports no cheap way from a numeric to an integer of a chosen
 * scale: all go through an allocation and an intermediate value, which for
 * an aggregate over millions of rows costs more than the aggregate itself.  So
 * this file reads the stored form of a numeric, and is the only one that does.
 * That form is on the disks of every database since 9.1, so pg_upgrade depends
 * on its staying as it is; the regression test buying_history compares what is
 * read here with what numeric prints.
 *
 * The stored form (src/backend/utils/adt/numeric.c): 16-bit words.  The first
 * tells the kind in its two highest bits:
 *
 *	  10  short: bit 13 sign, bits 12-7 display scale, bit 6 sign of the
 *		  weight, bits 5-0 weight; then the digits
 *	  0x  long: bit 14 sign, bits 13-0 display scale; a word of weight;
 *		  then the digits
 *	  11  NaN or infinity
 *
 * Digits are of base 10000, the first of which counts 10000^weight.
 *
 *-------------------------------------------------------------------------
 */
#include "history_numeric.h"

#define KIND_BITS			0xC000
#define KIND_SHORT			0x8000
#define KIND_SPECIAL		0xC000
#define SHORT_NEGATIVE		0x2000
#define SHORT_WEIGHT_BITS	0x007F	/* seven bits, two's complement */
#define SHORT_WEIGHT_SIGN	0x0040
#define LONG_NEGATIVE		0x4000

/* More digits than these cannot change an amount that is in range. */
#define DIGITS_READ			8

/*
 * A numeric as an amount in millionths, rounded half away from zero.
 */
CrmHistoryStatus
crm_amount_from_numeric(Datum value, int64 *amount)
{
	struct varlena *stored = PG_DETOAST_DATUM_PACKED(value);
	const char *data = VARDATA_ANY(stored);
	Size		size = VARSIZE_ANY_EXHDR(stored);
	Size		at = sizeof(uint16);
	uint16		head;
	int16		weight;
	int16		digits[DIGITS_READ];
	int			n;
	bool		negative;
	CrmHistoryStatus status;

	if (size < sizeof(uint16))
		return CRM_HISTORY_BAD_AMOUNT;
	memcpy(&head, data, sizeof(head));
	if ((head & KIND_BITS) == KIND_SPECIAL)
		status = CRM_HISTORY_BAD_AMOUNT;
	else
	{
		if ((head & KIND_BITS) == KIND_SHORT)
		{
			negative = (head & SHORT_NEGATIVE) != 0;
			weight = head & SHORT_WEIGHT_BITS;
			if (weight & SHORT_WEIGHT_SIGN)
				weight -= 2 * SHORT_WEIGHT_SIGN;
		}
		else
		{
			if (size < 2 * sizeof(uint16))
				return CRM_HISTORY_BAD_AMOUNT;
			negative = (head & LONG_NEGATIVE) != 0;
			memcpy(&weight, data + at, sizeof(weight));
			at += sizeof(weight);
		}
		n = (int) Min((size - at) / sizeof(int16), DIGITS_READ);
		memcpy(digits, data + at, n * sizeof(int16));
		status = crm_amount_from_base10000(digits, n, weight, negative, amount);
	}
	if ((Pointer) stored != DatumGetPointer(value))
		pfree(stored);
	return status;
}
