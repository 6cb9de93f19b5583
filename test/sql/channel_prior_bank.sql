-- A real log of telephone calls, where it is: ../shared/data beside the repository, or the directory named by CRM_SHARED_DATA.
-- Published check values of the prior (a group per job and month), and the loss by half-life in calls, in the order of the file.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set shared :abs_srcdir '/../../shared/data'
\getenv shared CRM_SHARED_DATA
\set bank :shared '/bank-marketing/bank-additional-full.csv'
SELECT (pg_stat_file(:'bank', true)).size IS NOT NULL AS there \gset
\if :there
CREATE TEMP TABLE bank (row int GENERATED ALWAYS AS IDENTITY, age int, job text, marital text, education text, "default" text, housing text, loan text,
    contact text, month text, day text, duration int, campaign int, pdays int, previous int, poutcome text,
    employment float8, prices float8, confidence float8, euribor float8, employed float8, y text);
COPY bank (age, job, marital, education, "default", housing, loan, contact, month, day, duration, campaign, pdays, previous, poutcome,
           employment, prices, confidence, euribor, employed, y) FROM :'bank' (FORMAT csv, HEADER, DELIMITER ';');
\set ECHO all
SELECT contact, round(a::numeric, 6) AS a, round(b::numeric, 6) AS b, round(log_likelihood::numeric, 6) AS ll, customers
FROM (SELECT contact, (crm.beta_prior(s, f)).*
      FROM (SELECT contact, count(*) FILTER (WHERE y = 'yes') AS s, count(*) FILTER (WHERE y = 'no') AS f FROM bank GROUP BY contact, job, month) AS g
      GROUP BY contact) AS p ORDER BY contact;
SELECT half_life, round((sum(n * loss) / sum(n))::numeric, 6) AS loss
FROM (SELECT count(*) AS n, crm.prequential_loss((y = 'yes')::int, (y = 'no')::int, row, '{NULL,5000,1000,200,50,10}'::float8[], 1, 9) AS losses
      FROM bank GROUP BY contact) AS l, unnest('{NULL,5000,1000,200,50,10}'::float8[], losses) AS u (half_life, loss)
GROUP BY half_life ORDER BY half_life DESC NULLS FIRST;
SELECT contact, half_life, round(gain::numeric, 6) AS gain, round(error::numeric, 6) AS error, round((gain / error)::numeric, 1) AS ratio, (k).blocks
FROM (SELECT contact, crm.compare_half_lives((y = 'yes')::int, (y = 'no')::int, row, '{NULL,200,50,10,1}'::float8[], 1, 9) AS k FROM bank GROUP BY contact) AS c,
     unnest('{NULL,200,50,10,1}'::float8[], (k).gains, (k).errors) AS u (half_life, gain, error)
WHERE half_life IS NOT NULL ORDER BY contact, half_life DESC;
SELECT round(-avg(ln(CASE y WHEN 'yes' THEN rate ELSE 1 - rate END))::numeric, 6) AS "best constant"
FROM (SELECT y, avg((y = 'yes')::int::float8) OVER () AS rate FROM bank) AS r;
DROP TABLE bank;
\set ECHO none
\else
\echo skipped: no shared data
\endif
