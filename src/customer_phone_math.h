/*-------------------------------------------------------------------------
 *
 * customer_phone_math.h
 *	  Reading telephone numbers in international form, without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_PHONE_MATH_H
#define CRM_CUSTOMER_PHONE_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A country code does not begin with 0, so the digits make a number by themselves. */
#define CRM_PHONE_MIN	INT64_C(1000000)	/* 7 digits */
#define CRM_PHONE_MAX	INT64_C(999999999999999)	/* 15 digits, E.164 */

/* Longer input is no telephone number. */
#define CRM_PHONE_INPUT_MAX 250

/* "+" and 15 digits and the final zero. */
#define CRM_PHONE_TEXT_SIZE 17

extern const char *crm_phone_parse(const char *input, int64_t *phone);
extern void crm_phone_print(int64_t phone, char *text);
extern const char *crm_phone_clean(const char *input, char *cleaned, int *first_group);

static inline bool
crm_phone_valid(int64_t phone)
{
	return phone >= CRM_PHONE_MIN && phone <= CRM_PHONE_MAX;
}

#endif							/* CRM_CUSTOMER_PHONE_MATH_H */
