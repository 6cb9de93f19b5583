/*-------------------------------------------------------------------------
 *
 * customer_phone_shim.h
 *	  What crm asks of libphonenumber, callable from C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_CUSTOMER_PHONE_SHIM_H
#define CRM_CUSTOMER_PHONE_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

typedef enum CrmPhoneStatus
{
	CRM_PHONE_OK,
	CRM_PHONE_UNKNOWN_COUNTRY,
	CRM_PHONE_NOT_VALID,
	CRM_PHONE_AMBIGUOUS,
	CRM_PHONE_FAILED			/* out of memory and the like */
} CrmPhoneStatus;

typedef enum CrmPhoneStyle
{
	CRM_PHONE_E164,
	CRM_PHONE_INTERNATIONAL,
	CRM_PHONE_NATIONAL,
	CRM_PHONE_RFC3966
} CrmPhoneStyle;

extern CrmPhoneStatus crm_phone_lookup(const char *digits, int first_group, const char *country, int64_t *phone);
extern CrmPhoneStatus crm_phone_describe(int64_t phone, char *country, size_t country_size, const char **type);
extern CrmPhoneStatus crm_phone_write(int64_t phone, CrmPhoneStyle style, char *text, size_t size);
extern CrmPhoneStatus crm_phone_version(char *version, size_t size);

#ifdef __cplusplus
}
#endif

#endif							/* CRM_CUSTOMER_PHONE_SHIM_H */
