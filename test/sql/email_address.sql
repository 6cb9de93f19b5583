-- crm.email_address: what is an address, what its stored form is, and when two are equal.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET search_path = crm, public;

-- The domain is brought to its ASCII form, the local part kept.
SELECT e::email_address, canonical(e::email_address), local_part(e::email_address), domain(e::email_address)
FROM (VALUES (' Ann.Example@Example.COM '), ('ann+news@straße.de'), ('ANN@XN--STRAE-OQA.de'), ('josé@example.org'),
    ('"Ann Example"@example.org'), ('"ann.example"@example.org'), ('"a\"b"@example.org'), ('!#$%&''*+-/=?^_`{|}~@example.org'),
    ('postmaster@localhost'), ('a@例え.テスト'), ('x@faß.example')) AS v (e);

-- Unicode's two ways to write é are one.
SELECT U&'jos\0065\0301@example.org'::email_address = U&'jos\00e9@example.org'::email_address AS same;

-- A stored domain is taken back whatever the version of libidn2: U+0378 is a character of no version of Unicode yet.
SELECT e::email_address, e::email_address::text::email_address = e::email_address AS same
FROM (VALUES ('a@xn--zva.example'), ('a@XN--7BA.example'), ('a@例え.xn--zckzah')) AS v (e);
SELECT e, domain_unicode(e::email_address) FROM (VALUES ('a@straße.DE'), ('a@xn--fiqs8s'), ('a@sub.xn--bcher-kva.example'), ('a@example.org'), ('a@xn--zva.example'), ('a@xn--7ba.example')) AS v (e);
SELECT 'a@xn--6a.example'::email_address;
SELECT 'a@xn---foo.example'::email_address;
SELECT 'a@xn--strae-oq.example'::email_address;

-- White space and invisible marks of Unicode around an address are left out, and refused in it.
SELECT U&'\00a0\202aann@example.org\202c\2009'::email_address;
SELECT U&'ann\00a0b@example.org'::email_address;
SELECT U&'ann\200b@example.org'::email_address;
SELECT U&'"ann\200eb c"@example.org'::email_address;
-- A backslash escapes characters of ASCII alone: one between a letter and its accent could make another letter.
SELECT U&'"e\005c\0301"@example.org'::email_address;
SELECT U&'"ann\00a0b"@example.org'::email_address::text::email_address = U&'"ann\00a0b"@example.org' AS same;

-- Needless quotes and backslashes make no other address.
SELECT '"a\b c"@example.org'::email_address = '"ab c"@example.org'::email_address AS same;

-- Equal but for the case of ASCII letters.
SELECT 'Ann@Example.org'::email_address = 'aNN@example.ORG'::email_address AS same,
       'ann@example.org'::email_address = 'anna@example.org'::email_address AS other,
       email_address_hash('Ann@Example.org') = email_address_hash('ann@example.org') AS hashes,
       email_address_hash_extended('Ann@Example.org', 7) = email_address_hash_extended('ann@example.org', 7) AS hashes_64;
CREATE TEMP TABLE e (e email_address PRIMARY KEY);
INSERT INTO e VALUES ('b@example.org'), ('A@example.org'), ('c@EXAMPLE.org');
INSERT INTO e VALUES ('B@example.org');
SELECT * FROM e ORDER BY e;
SELECT * FROM e WHERE e >= 'B@EXAMPLE.ORG' ORDER BY e DESC;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'email_address_ops';

-- Text assigned, text compared.
INSERT INTO e SELECT 'd@example.org'::text;
SELECT e::text LIKE '%@example.org' FROM e GROUP BY 1;

-- Limits: 64 octets before the @, 254 in all, 63 in a label.
SELECT length((repeat('a', 64) || '@example.org')::email_address::text);
SELECT (repeat('a', 65) || '@example.org')::email_address;
SELECT length(('a@' || repeat(repeat('b', 61) || '.', 4) || 'de')::email_address::text);
SELECT ('aaaaaa@' || repeat(repeat('b', 61) || '.', 4) || 'de')::email_address;
SELECT ('a@' || repeat('b', 64) || '.de')::email_address;
SELECT repeat('a', 10000)::email_address;

-- What is none.
SELECT ''::email_address;
SELECT 'ann'::email_address;
SELECT 'ann@'::email_address;
SELECT '@example.org'::email_address;
SELECT 'Ann Example <ann@example.org>'::email_address;
SELECT 'ann@@example.org'::email_address;
SELECT 'ann example@example.org'::email_address;
SELECT '.ann@example.org'::email_address;
SELECT 'ann..b@example.org'::email_address;
SELECT 'ann@example..org'::email_address;
SELECT 'ann@-example.org'::email_address;
SELECT 'ann@exam_ple.org'::email_address;
SELECT 'ann@[192.0.2.1]'::email_address;
SELECT 'ann@192.0.2.1'::email_address;
SELECT '"ann@example.org'::email_address;
SELECT 'a(comment)@example.org'::email_address;
SELECT E'ann@exa\nmple.org'::email_address;
SELECT 'ann@xn--a.de'::email_address;

-- Binary.
\copy e TO 'email.bin' WITH (FORMAT binary)
CREATE TEMP TABLE e2 (e email_address);
\copy e2 FROM 'email.bin' WITH (FORMAT binary)
SELECT count(*) FROM e JOIN e2 USING (e);
\! rm -f email.bin
SELECT email_address_send('Ann@Example.org');
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\16\1Ann@b.EXAMPLE\377\377"' WITH (FORMAT binary)
SELECT * FROM e2 WHERE domain(e) = 'b.example';
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\6\2a@b.c\377\377"' WITH (FORMAT binary)
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\1\377\377"' WITH (FORMAT binary)
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\5\1ann@\377\377"' WITH (FORMAT binary)
\copy e2 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\6\1a\0@bc\377\377"' WITH (FORMAT binary)
