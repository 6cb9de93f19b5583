/*-------------------------------------------------------------------------
 *
 * partner_math.h
 *	  The arithmetic of crm.responsibility, without a server call.
 *
 * A responsibility is 64 bits: 0-7 duties (never empty), 8-23 channels (ten
 * are in use; none set means all), 24-25 role, the others zero.  The numbers
 * are stored on disk: new names go at the end of the tables.
 *
 * An index key is the union of responsibilities: 0-7 all duties, 8-23 all
 * channels ("all" expanded to sixteen bits before the union), 24-27 which
 * roles occur, 28 one has all channels, 29 one names its channels.  The key
 * of one responsibility loses nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRM_PARTNER_MATH_H
#define CRM_PARTNER_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t crm_resp;

#define CRM_RESP_DUTIES 8
#define CRM_RESP_CHANNELS 10
#define CRM_RESP_ROLES 4
#define CRM_RESP_ACCOUNTABLE 0
#define CRM_RESP_DUTY_MASK ((uint64_t) 0xFF)
#define CRM_RESP_CHANNEL_SHIFT 8
#define CRM_RESP_CHANNEL_MASK ((uint64_t) 0xFFFF << CRM_RESP_CHANNEL_SHIFT)
#define CRM_RESP_ROLE_SHIFT 24
#define CRM_RESP_ROLE(v) ((int) (((v) >> CRM_RESP_ROLE_SHIFT) & 3))
#define CRM_RESP_TEXT_SIZE 256		/* the longest text needs 173 bytes */

#define CRM_KEY_ROLE(role) ((uint64_t) 1 << (CRM_RESP_ROLE_SHIFT + (role)))
#define CRM_KEY_ALL ((uint64_t) 1 << 28)
#define CRM_KEY_NAMED ((uint64_t) 1 << 29)

typedef enum CrmRespResult
{
	CRM_RESP_VALUE,				/* a responsibility */
	CRM_RESP_EMPTY,				/* nothing is left */
	CRM_RESP_SPLIT				/* more than one responsibility is left, or roles differ */
} CrmRespResult;

typedef enum CrmRespOperator
{
	CRM_RESP_CONFLICTS,			/* && */
	CRM_RESP_EQUALS,			/* = */
	CRM_RESP_COVERS,			/* @> */
	CRM_RESP_COVERED			/* <@ */
} CrmRespOperator;

extern const char *const crm_resp_role_names[CRM_RESP_ROLES];
extern const char *const crm_resp_duty_names[CRM_RESP_DUTIES];
extern const char *const crm_resp_channel_names[CRM_RESP_CHANNELS];

extern int	crm_resp_find(const char *const *names, int count, const char *name, size_t length);
extern bool crm_resp_valid(uint64_t v);
extern const char *crm_resp_parse(const char *text, crm_resp *result);
extern size_t crm_resp_format(crm_resp v, char *text);
extern bool crm_resp_test(CrmRespOperator op, crm_resp a, crm_resp b);
extern CrmRespResult crm_resp_union(crm_resp a, crm_resp b, crm_resp *result);
extern CrmRespResult crm_resp_intersect(crm_resp a, crm_resp b, crm_resp *result);
extern CrmRespResult crm_resp_difference(crm_resp a, crm_resp b, crm_resp *result);

extern uint64_t crm_resp_key(crm_resp v);
extern crm_resp crm_resp_of_key(uint64_t key);
extern bool crm_resp_key_may(CrmRespOperator op, uint64_t key, crm_resp query);
extern int	crm_resp_key_bits(uint64_t key);
extern int	crm_resp_key_split(const uint64_t *keys, int count);

#endif							/* CRM_PARTNER_MATH_H */
