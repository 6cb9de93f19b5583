-- Addresses of contact points: the form in which equal ones are equal, and the form that needs no country.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
SET search_path = crm, public;

SELECT c, a, canonical_contact(c, a) FROM (VALUES ('email'::crm.channel, 'Ann@Example.ORG'), ('phone', '+49 (0)211 123456'), ('sms', '+49 171 1234567'),
    ('fax', '+49 211 123457'), ('social', ' @Ann_Example'), ('letter', E'Hauptstr. 1 \n 40211  Düsseldorf'), ('web', 'HTTPS://Example.org/Ann')) AS v (c, a);

-- Of a web address only scheme and host are folded; the scheme's own port is dropped, an empty path is the root's.
SELECT a, canonical_contact('web', a) FROM (VALUES ('HTTPS://WWW.Example.org:443/Path?Query=A#Part'), (' http://Example.org'), ('http://example.org:8080/A'),
    ('https://Bücher.Example/Ä'), ('www.Example.org/Path'), ('Visitor 4711-aB')) AS v (a);
SELECT canonical_contact('web', 'http://a..b/');
SELECT canonical_contact('web', 'https://xn--6a.example/');
SELECT canonical_contact('web', '  ');

-- Unicode's two ways to write é are one on every channel, and so are its spaces; invisible marks are none.
SELECT c, canonical_contact(c, a) = canonical_contact(c, b) AS same, canonical_contact(c, a)
FROM (VALUES ('letter'::crm.channel, U&'Rue du Pre\0301\00a01 \3000 Gen\00e8ve', U&'rue du pr\00e9 1 Gen\00e8ve\2009'), ('social', U&'@Jos\0065\0301', U&'\200bjos\00e9'),
    ('chat', U&'Jos\0065\0301', U&'\2066jos\00e9\2069'), ('visit', U&'Cafe\0301', U&'caf\00e9'), ('other', U&'A\030a', U&'\212b'), ('other', U&'e\200b\0301', U&'\00e9'), ('letter', U&'E\0301\0096', U&'\00c9'), ('chat', U&'H\0331', U&'\1e96'),
    ('web', U&'http://example.org/caf\0065\0301', U&'http://example.org/caf\00e9'), ('email', U&'jos\0065\0301@example.org', U&'JOS\00e9@example.org')) AS v (c, a, b);

-- What is none, or too long to be one.
SELECT canonical_contact('email', 'Ann');
SELECT canonical_contact('phone', '0211 123456');
SELECT canonical_contact('social', ' @ ');
SELECT canonical_contact('letter', repeat('a', 8193));

-- National numbers are completed by the country, numbers with a country code are found among words.
SELECT resolve_address('phone', '0211 123456', 'DE'), resolve_address('phone', '+49 211 123456', NULL), resolve_address('letter', 'x', NULL);
SELECT resolve_address('fax', '0211 123456', NULL);
SELECT resolve_address('fax', '0049 211 123456', NULL);
SELECT resolve_address('fax', '0211 12', 'DE');
SELECT resolve_address('phone', a, NULL), resolve_address('phone', a, 'FR')
FROM (VALUES ('Tel.: +49 211 123456'), ('Tel.: +49 (0)211 / 123456 (abends)'), ('Tel.: 0049 211 123456'), ('+229 01 97 12 34 56 (bureau)')) AS v (a);
SELECT resolve_address('phone', 'Tel.: +49 211 123456', 'AQ');
SELECT resolve_address('phone', 'Tel.: 0211 123456', 'AQ');
SELECT resolve_address('phone', 'Tel.: 0211 123456', NULL);
SELECT resolve_address('phone', 'Tel.: +49 211 12 CALLME', NULL);
SELECT resolve_address('phone', 'Tel.: +49 211 123456 Durchwahl 12', NULL);
SELECT resolve_address('phone', 'abends', NULL);

-- A domain in other letters is brought to ASCII by tables that change, so it is resolved too.
SELECT c, a, resolve_address(c, a, NULL), canonical_contact(c, resolve_address(c, a, NULL)) = canonical_contact(c, a) AS same
FROM (VALUES ('email'::crm.channel, 'Ann@Straße.example'), ('email', 'José@Example.org'), ('web', 'https://Bücher.example/Ä'), ('web', 'HTTPS://Example.org/A'),
    ('letter', 'Düsseldorf'), ('phone', NULL), (NULL, 'x')) AS v (c, a);
SELECT resolve_address('email', 'a@ä..example', NULL);
SELECT resolve_address('web', 'http://ä..example', NULL);
SELECT resolve_address('phone', '0211 123456', 'Germany');
