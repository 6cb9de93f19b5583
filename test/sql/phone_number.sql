-- crm.phone_number: what is a number, as written anywhere and in a country.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET search_path = crm, public;

-- International form.
SELECT p, p::phone_number FROM (VALUES ('+49 211 123456'), ('+49 (0)211/123-456'), ('tel:+1-212-555-0123'), (' +39 06 1234 5678 '), ('+4930.123456'), ('+39 (0)6 1234 5678')) AS v (p);
-- The bracketed 0 is no trunk prefix where numbers begin with it.
SELECT p, p::phone_number FROM (VALUES ('+242 (0)6 612 3456'), ('+229 (0)1 97 12 34 56'), ('+225 (0)1 31 45 98 66'), ('+243 (0)81 234 5678')) AS v (p);
-- Spaces and dashes of Unicode, and the marks of direction that address books put around numbers.
SELECT p::phone_number FROM (VALUES (U&'+49\00a0211\202f12\200934\300056'), (U&'\202a+49\2011211\2013123\2212456\202c'), (U&'\00a0+49 211 123456\00a0')) AS v (p);
SELECT E'+49 211\n123456'::phone_number;
SELECT U&'+49 211 12345\00f6'::phone_number;
SELECT '0211 123456'::phone_number;
SELECT '+0211 123456'::phone_number;
SELECT '+49 211'::phone_number;
SELECT '+49 211 123456 789012'::phone_number;
SELECT '+49 211 CALLME'::phone_number;
SELECT ''::phone_number;
SELECT repeat('+', 10000)::phone_number;

-- As people in a country write it.
SELECT p, phone_number(p, 'DE') FROM (VALUES ('0211 123456'), ('Tel.: 0211/123456 (abends)'), ('49 211 123456'), ('0049 211 123456'),
    ('+49 (0)211 123456'), ('0171-1234567'), ('+1 212 555 0123')) AS v (p);
SELECT phone_number('212 555 0123', 'us'), phone_number('06 6982 1234', 'IT'), phone_number('020 7946 0958', 'GB');
SELECT phone_number(U&'0211\00a0/\202f123\2013456', 'DE'), phone_number(U&'Tel.\00a00211\2011123456', 'DE');
SELECT p, phone_number(p, c), phone_country(phone_number(p, c)) FROM (VALUES ('06 612 3456', 'CG'), ('01 97 12 34 56', 'BJ'), ('+229 01 97 12 34 56', 'DE')) AS v (p, c);
SELECT phone_type('+229 01 97 12 34 56');
SELECT phone_number('02 97 12 34 56', 'BJ');
SELECT phone_number(E'0211 123456\n0211 654321', 'DE');
SELECT phone_number('Durchwahl 12', 'DE');
SELECT phone_number('110', 'DE');
SELECT phone_number('0211 123456 Durchwahl 12', 'DE');
SELECT phone_number('abends', 'DE');
SELECT phone_number('0211 12345O', 'DE');
SELECT phone_number('4921112345', 'DE');
SELECT phone_number('4921 12345', 'DE');
SELECT phone_number('0211 123456', 'XX');
SELECT phone_number('0211 123456', 'Germany');
SELECT phone_country('+49211123456'), phone_type('+491711234567'), phone_format('+49211123456'), phone_format('+49211123456', 'national'),
       phone_format('+49211123456', 'rfc3966'), phone_format('+49211123456', 'e164');
SELECT phone_country('+999123456789'), phone_type('+999123456789'), phone_format('+999123456789'), phone_format('+999123456789', 'e164');
SELECT phone_format('+49211123456', 'roman');
SELECT phone_library_version() ~ '^[0-9]+([.][0-9]+)*$' AS has_version;

-- Comparing, hashing, indexes.
CREATE TEMP TABLE p (p phone_number PRIMARY KEY);
INSERT INTO p VALUES ('+49 211 123456'), ('+1 212 555 0123'), ('+39 06 1234 5678');
INSERT INTO p VALUES ('+49211123456');
SELECT * FROM p ORDER BY p;
SELECT phone_number_hash('+49211123456') = phone_number_hash('+49 (211) 123456') AS hashes;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'phone_number_ops';

-- Binary.
\copy p TO 'phone.bin' WITH (FORMAT binary)
CREATE TEMP TABLE p2 (p phone_number);
\copy p2 FROM 'phone.bin' WITH (FORMAT binary)
SELECT count(*) FROM p JOIN p2 USING (p);
\! rm -f phone.bin
SELECT phone_number_send('+49211123456');
\copy p2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\2\0\0\0\13\166\217\332\100\377\377"' WITH (FORMAT binary)
\copy p2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy p2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\5\1\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy p2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\1\0\0\0\0\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy p2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\11\1\200\0\0\0\0\0\0\1\377\377"' WITH (FORMAT binary)
