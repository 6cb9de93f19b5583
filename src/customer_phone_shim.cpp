/*-------------------------------------------------------------------------
 *
 * customer_phone_shim.cpp
 *	  What crm asks of libphonenumber, callable from C.
 *
 * No exception leaves this file and no PostgreSQL error is raised in it: the
 * server's longjmp would skip C++ destructors, and an exception would end the
 * server.  The library's logger is silenced, since it writes to standard
 * output.
 *
 *-------------------------------------------------------------------------
 */
#include "customer_phone_shim.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::Logger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

class SilentLogger : public Logger
{
public:
	virtual void WriteMessage(const std::string &) {}
	virtual void WriteLevel() {}
};

/* The library's single object; its tables are read at the first use. */
const PhoneNumberUtil *
util()
{
	static PhoneNumberUtil *instance = nullptr;

	if (instance == nullptr)
	{
		PhoneNumberUtil *made = PhoneNumberUtil::GetInstance();

		/* takes the logger over; kept only when both were made */
		made->SetLogger(new SilentLogger());
		instance = made;
	}
	return instance;
}

/*
 * Benin wrote 01 before all its numbers in November 2024, and they became
 * +229 01 and eight digits.  Libraries that are older know the eight digits:
 * gives the number as they knew it, or false when it is no such number.
 */
bool
former_number(const PhoneNumber &number, PhoneNumber *former)
{
	if (number.country_code() != 229 || !number.italian_leading_zero() || number.number_of_leading_zeros() != 1 ||
		number.national_number() / 100000000 != 1)
		return false;
	former->Clear();
	former->set_country_code(229);
	former->set_national_number(number.national_number() - 100000000);
	return util()->IsValidNumber(*former);
}

bool
parse(const std::string &text, const std::string &country, PhoneNumber *number)
{
	PhoneNumber former;

	number->Clear();
	return util()->Parse(text, country, number) == PhoneNumberUtil::NO_PARSING_ERROR &&
		(util()->IsValidNumber(*number) || former_number(*number, &former));
}

int64_t
to_integer(const PhoneNumber &number)
{
	std::string text;

	util()->Format(number, PhoneNumberUtil::E164, &text);
	return std::strtoll(text.c_str() + 1, nullptr, 10);
}

/* False for a country code that is not assigned. */
bool
from_integer(int64_t phone, PhoneNumber *number)
{
	number->Clear();
	return util()->Parse("+" + std::to_string(phone), "ZZ", number) == PhoneNumberUtil::NO_PARSING_ERROR;
}

bool
copy(const std::string &from, char *to, size_t size)
{
	if (from.size() >= size)
		return false;
	std::memcpy(to, from.c_str(), from.size() + 1);
	return true;
}

}

/*
 * Reads digits (with or without a leading +) as dialled in a country, an ISO
 * 3166-1 code in capitals; without one ("") only numbers with + are read.  People leave out the + of a number with country
 * code: "49 211 123456", whose first group is the code, is read that way; where
 * nothing sets the code apart and both readings are valid, it is ambiguous.
 */
extern "C" CrmPhoneStatus
crm_phone_lookup(const char *digits, int first_group, const char *country, int64_t *phone)
{
	try
	{
		PhoneNumber national,
					international;
		std::string text(digits);
		std::string region(country);

		if (region.empty())
		{
			if (text.empty() || text[0] != '+' || !parse(text, "ZZ", &international))
				return CRM_PHONE_NOT_VALID;
			*phone = to_integer(international);
			return CRM_PHONE_OK;
		}

		int			code = util()->GetCountryCodeForRegion(region);
		std::string code_text = std::to_string(code);
		bool		is_national,
					is_international;

		if (code == 0)
			return CRM_PHONE_UNKNOWN_COUNTRY;
		is_national = parse(text, region, &national);
		is_international = text[0] != '+' && text.compare(0, code_text.size(), code_text) == 0 &&
			parse("+" + text, region, &international);
		if (!is_national && !is_international)
			return CRM_PHONE_NOT_VALID;
		if (is_international && (!is_national || first_group == (int) code_text.size()))
			*phone = to_integer(international);
		else if (is_international && to_integer(international) != to_integer(national))
			return CRM_PHONE_AMBIGUOUS;
		else
			*phone = to_integer(national);
		return CRM_PHONE_OK;
	}
	catch (...)
	{
		return CRM_PHONE_FAILED;
	}
}

/* The country of a number ("" when it belongs to none) and its kind. */
extern "C" CrmPhoneStatus
crm_phone_describe(int64_t phone, char *country, size_t country_size, const char **type)
{
	try
	{
		PhoneNumber number,
					former;
		std::string region;

		if (from_integer(phone, &number))
		{
			if (!util()->IsValidNumber(number) && former_number(number, &former))
				number.Swap(&former);
			util()->GetRegionCodeForNumber(number, &region);
		}
		/* "ZZ" stands for no region, "001" for services that have none */
		if (region.size() != 2 || region == "ZZ")
			region.clear();
		if (!copy(region, country, country_size))
			return CRM_PHONE_FAILED;
		switch (util()->GetNumberType(number))
		{
			case PhoneNumberUtil::FIXED_LINE: *type = "fixed_line"; break;
			case PhoneNumberUtil::MOBILE: *type = "mobile"; break;
			case PhoneNumberUtil::FIXED_LINE_OR_MOBILE: *type = "fixed_line_or_mobile"; break;
			case PhoneNumberUtil::TOLL_FREE: *type = "toll_free"; break;
			case PhoneNumberUtil::PREMIUM_RATE: *type = "premium_rate"; break;
			case PhoneNumberUtil::SHARED_COST: *type = "shared_cost"; break;
			case PhoneNumberUtil::VOIP: *type = "voip"; break;
			case PhoneNumberUtil::PERSONAL_NUMBER: *type = "personal"; break;
			case PhoneNumberUtil::PAGER: *type = "pager"; break;
			case PhoneNumberUtil::UAN: *type = "company"; break;
			case PhoneNumberUtil::VOICEMAIL: *type = "voicemail"; break;
			default: *type = "unknown";
		}
		return CRM_PHONE_OK;
	}
	catch (...)
	{
		return CRM_PHONE_FAILED;
	}
}

extern "C" CrmPhoneStatus
crm_phone_write(int64_t phone, CrmPhoneStyle style, char *text, size_t size)
{
	static const PhoneNumberUtil::PhoneNumberFormat formats[] = {
		PhoneNumberUtil::E164, PhoneNumberUtil::INTERNATIONAL,
		PhoneNumberUtil::NATIONAL, PhoneNumberUtil::RFC3966
	};

	try
	{
		PhoneNumber number;
		std::string formatted;

		/* E.164 is what is stored; so is anything the library does not know. */
		if (style == CRM_PHONE_E164 || !from_integer(phone, &number))
			formatted = "+" + std::to_string(phone);
		else
			util()->Format(number, formats[style], &formatted);
		return copy(formatted, text, size) ? CRM_PHONE_OK : CRM_PHONE_FAILED;
	}
	catch (...)
	{
		return CRM_PHONE_FAILED;
	}
}

/*
 * The version of the library that is loaded.  It has no function that tells
 * it, but its file is named by it: libphonenumber.so.8.12.
 */
extern "C" CrmPhoneStatus
crm_phone_version(char *version, size_t size)
{
	Dl_info		info;
	char	   *file;
	const char *found;
	CrmPhoneStatus status = CRM_PHONE_NOT_VALID;

	if (dladdr(reinterpret_cast<void *>(&PhoneNumberUtil::GetInstance), &info) == 0 || info.dli_fname == nullptr)
		return status;
	file = realpath(info.dli_fname, nullptr);
	if (file == nullptr)
		return status;
	found = std::strstr(file, ".so.");
	if (found != nullptr && std::strlen(found + 4) < size)
	{
		std::strcpy(version, found + 4);
		status = CRM_PHONE_OK;
	}
	std::free(file);
	return status;
}
