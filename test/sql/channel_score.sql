\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\set ECHO all
-- crm.channel_score: input, output, arithmetic, aggregates, errors, and the Beta functions over it.
SET search_path = public, crm;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\pset null '(null)'

-- One observation, its value now and one half-life later
SELECT crm.channel_score_of(1, 0, '2026-10-07 09:56:03+00', '26 weeks');
SELECT crm.successes(s, at), crm.failures(s, at), crm.successes(s, at + interval '182 days'), crm.observations(s), crm.half_life(s)
FROM (VALUES (timestamptz '2026-10-07 09:56:03+00')) AS t (at), crm.channel_score_of(1, 0, at, '26 weeks') AS s;

-- A month is 30 days, a day 24 hours; the half-life comes back as an equal interval
SELECT i, crm.half_life(crm.channel_score_of(1, 0, '2000-01-01', i)), crm.half_life(crm.channel_score_of(1, 0, '2000-01-01', i)) = i AS equal
FROM unnest('{1 hour,1 day,26 weeks,6 months,1 year,10 years,10000 years,36:00:00.000001}'::interval[]) AS i;

-- Every finite time is accepted
SELECT at, crm.successes(crm.channel_score_of(1, 0, at, h), at), h
FROM unnest('{4714-11-24 00:00:00+00 BC,1066-10-14,1969-12-31 23:59:59.999999,2000-01-01,2026-11-23,294276-12-31 23:59:59.999999}'::timestamptz[]) AS at,
     unnest('{1 day,10 years}'::interval[]) AS h;
SELECT crm.channel_score_of(1, 0, 'infinity', '1 day');
SELECT crm.channel_score_of(1, 0, '-infinity', '1 day');

-- Weights and half-lives
SELECT crm.channel_score_of(-0.1, 0, '2000-01-01', '1 day');
SELECT crm.channel_score_of(0, 'NaN', '2000-01-01', '1 day');
SELECT crm.channel_score_of('Infinity', 0, '2000-01-01', '1 day');
SELECT crm.channel_score_of(0, 1000001, '2000-01-01', '1 day');
SELECT crm.channel_score_of(1, 0, '2000-01-01', '0');
SELECT crm.channel_score_of(1, 0, '2000-01-01', '-1 day');
SELECT crm.channel_score_of(1, 0, '2000-01-01', '59 minutes');
SELECT crm.channel_score_of(1, 0, '2000-01-01', '170000000 years');
SELECT crm.channel_score_of(0, 0, '2000-01-01', '1 day') AS nothing, crm.observations(crm.channel_score_of(0.25, 0.75, '2000-01-01', '1 day'));
SELECT crm.channel_score_of(NULL, 0, '2000-01-01', '1 day');

-- Adding and undoing
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') + crm.channel_score_of(0, 1, '1986-01-01', '1 day');
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') + crm.channel_score_of(0, 1, '1986-01-01', '1 day') - crm.channel_score_of(1, 0, '2026-01-01', '1 day')
       = crm.channel_score_of(0, 1, '1986-01-01', '1 day') AS undone;
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') + crm.channel_score_of(1, 0, '2026-01-01', '26 weeks');
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') - crm.channel_score_of(1, 0, '2026-01-01', '90 minutes');
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') - crm.channel_score_of(0, 1, '2026-01-01', '1 day');
SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day') - crm.channel_score_of(1, 0, '2026-01-02', '1 day');

-- The aggregate: any order, any split, undo, in groups, moving
CREATE TEMP TABLE contact AS
SELECT i, i % 7 AS customer, (i * 7919) % 5 < 2 AS reached, ((i * 104729) % 1000) / 1000.0::float8 AS w,
       timestamptz '1950-01-01' + ((i::bigint * 2654435761) % 2524608000) * interval '1 second' AS at
FROM generate_series(1, 5000) AS i;
CREATE FUNCTION pg_temp.score(h interval, descending boolean) RETURNS crm.channel_score LANGUAGE sql AS $$
    SELECT crm.channel_score(CASE WHEN reached THEN w ELSE 0 END, CASE WHEN reached THEN 0 ELSE w END, at, h ORDER BY CASE WHEN descending THEN -i ELSE i END) FROM contact $$;
SELECT h,
       pg_temp.score(h, false) = pg_temp.score(h, true) AS order_is_free,
       pg_temp.score(h, false) = (SELECT crm.sum(s) FROM (SELECT crm.channel_score(CASE WHEN reached THEN w ELSE 0 END, CASE WHEN reached THEN 0 ELSE w END, at, h) AS s
                                                          FROM contact GROUP BY customer) AS part) AS split_is_free,
       pg_temp.score(h, false) - (SELECT crm.channel_score(CASE WHEN reached THEN w ELSE 0 END, CASE WHEN reached THEN 0 ELSE w END, at, h) FROM contact WHERE i <> 17)
           = (SELECT crm.channel_score_of(CASE WHEN reached THEN w ELSE 0 END, CASE WHEN reached THEN 0 ELSE w END, at, h) FROM contact WHERE i = 17) AS undo_is_exact,
       pg_temp.score(h, false) - pg_temp.score(h, true) AS nothing,
       pg_temp.score(h, false)::text::crm.channel_score = pg_temp.score(h, true) AS text_round_trip,
       pg_column_size(pg_temp.score(h, false)) AS bytes
FROM unnest('{1 day,30 days,26 weeks,10 years}'::interval[]) AS h;

SELECT bool_and(abs(crm.successes(s, '2030-01-01') / expected - 1) < 1e-9) AS right
FROM (SELECT crm.channel_score(w, 0, at, '52 weeks') AS s,
             sum(w * 2 ^ (- extract(epoch FROM timestamptz '2030-01-01' - at)::float8 / (364 * 86400))) AS expected
      FROM contact GROUP BY customer) AS t;

SELECT crm.channel_score(1, 0, at, '1 day') FROM contact WHERE false;
SELECT crm.channel_score(s, f, at, h) FROM (VALUES (1::float8, 0::float8, timestamptz '2026-01-01', interval '7 days'), (NULL, 0, '2026-01-01', '7 days'),
    (1, NULL, '2026-01-01', '7 days'), (1, 0, NULL, '7 days'), (1, 0, '2026-01-01', NULL)) AS v (s, f, at, h);
SELECT crm.channel_score(s, 0, at, h) FROM (VALUES (NULL::float8, timestamptz '2026-01-01', interval '7 days')) AS v (s, at, h);
SELECT crm.channel_score(1, 0, at, make_interval(days => 1 + (i % 2)::int)) FROM contact;
SELECT crm.channel_score(1, 0, CASE i WHEN 4000 THEN 'infinity' ELSE at END, '1 day') FROM contact;

-- In windows, growing and moving
SELECT bool_and(grown = again) AS growing, bool_and(moved = again_moved) AS moving
FROM (SELECT i, crm.channel_score(1, 0, at, '30 days') OVER (ORDER BY i) AS grown,
             crm.sum(crm.channel_score_of(1, 0, at, '30 days')) OVER (ORDER BY i ROWS 3 PRECEDING) AS moved
      FROM contact WHERE i <= 200) AS w,
     LATERAL (SELECT crm.channel_score(1, 0, at, '30 days') AS again, crm.channel_score(1, 0, at, '30 days') FILTER (WHERE c.i >= w.i - 3) AS again_moved
              FROM contact AS c WHERE c.i <= w.i) AS l;

-- Parallel and serial agree
CREATE TABLE channel_score_test AS SELECT * FROM contact;
ALTER TABLE channel_score_test SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.channel_score(w, 1 - w, at, '26 weeks') FROM channel_score_test;
CREATE TEMP TABLE result AS SELECT crm.channel_score(w, 1 - w, at, '26 weeks') AS s FROM channel_score_test;
SET max_parallel_workers_per_gather = 0;
SELECT s = (SELECT crm.channel_score(w, 1 - w, at, '26 weeks') FROM channel_score_test) AS parallel_is_serial FROM result;
RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP TABLE channel_score_test;

-- Text
SELECT '86400s 1/1 [-3:00AB/0 4:1/ff]'::crm.channel_score;
SELECT ' 86400.500000s  2/0  [ 0:ab/0 ] '::crm.channel_score;
SELECT '3600s 0/0 []'::crm.channel_score;
SELECT 'x'::crm.channel_score;
SELECT ''::crm.channel_score;
SELECT '86400s 1/0 []'::crm.channel_score;
SELECT '86400s 2/0 [1:1/0 0:1/0]'::crm.channel_score;
SELECT '86400s 2/0 [0:0/0]'::crm.channel_score;
SELECT '86400s 1/0 [0:1/0 1:1/0]'::crm.channel_score;
SELECT '86400s -1/0 [0:1/0]'::crm.channel_score;
SELECT '86400s 1/0 [6700000:1/0]'::crm.channel_score;
SELECT '86400s 1/0 [0:100000000000000000000000000000000/0]'::crm.channel_score;
SELECT '59s 1/0 [0:1/0]'::crm.channel_score;
SELECT '86400s 1/0 [0:1/0] '::text::crm.channel_score;
CREATE TEMP TABLE kept (s crm.channel_score);
INSERT INTO kept SELECT '86400s 1/0 [0:1/0]'::text;
INSERT INTO kept SELECT pg_temp.score(h, false) FROM unnest('{1 day,30 days,26 weeks,10 years}'::interval[]) AS h;
INSERT INTO kept SELECT crm.channel_score_of(1, 0, '2026-01-01', '1 day');

-- Sums and counts never wrap
SELECT '86400s 9223372036854775807/0 [0:1/0]'::crm.channel_score + '86400s 1/0 [0:1/0]';
SELECT '86400s 9223372036854775807/0 [0:1/0]'::crm.channel_score + '86400s 0/1 [0:0/1]';
SELECT '86400s 1/0 [0:ffffffffffffffffffffffffffffffff/0]'::crm.channel_score + '86400s 1/0 [0:1/0]';

-- Comparison, indexes, hashing
SELECT count(*), count(DISTINCT s) FROM (SELECT s FROM kept UNION ALL SELECT s FROM kept) AS t;
SELECT bool_and((a.s < b.s) = (b.s > a.s) AND (a.s <= b.s) = NOT (a.s > b.s) AND (a.s = b.s) = NOT (a.s <> b.s) AND (a.s = b.s) = (a.s::text = b.s::text)
                AND (a.s >= b.s) = NOT (a.s < b.s)) FROM kept AS a, kept AS b;
CREATE TEMP TABLE small AS SELECT s FROM kept WHERE pg_column_size(s) < 2000;
CREATE UNIQUE INDEX ON small (s);
INSERT INTO small VALUES (crm.channel_score_of(1, 0, '2026-01-01', '1 day'));
CREATE INDEX ON kept USING hash (s);
SET enable_seqscan = off;
SELECT count(*) FROM kept AS a JOIN kept AS b USING (s);
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*) FROM kept AS a JOIN kept AS b USING (s);
RESET enable_seqscan; RESET enable_hashjoin; RESET enable_nestloop;
SELECT bool_and(crm.channel_score_hash(s)::bigint & 4294967295 = crm.channel_score_hash_extended(s, 0) & 4294967295) AS hashes FROM kept;
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod WHERE opcintype = 'crm.channel_score'::regtype ORDER BY 2;

-- Binary: a round trip by COPY, and what is refused
\set copyfile `echo "${TMPDIR:-/tmp}/crm_channel_score_$$.bin"`
CREATE TEMP TABLE received (s crm.channel_score);
\set to '\\copy kept TO ' :'copyfile' ' WITH (FORMAT binary)'
:to
\set from '\\copy received FROM ' :'copyfile' ' WITH (FORMAT binary)'
:from
SELECT count(*) FROM kept JOIN received USING (s);
\set remove '\\! rm -f ' :'copyfile'
:remove
SELECT encode(crm.channel_score_send('86400s 1/0 [-1:ab/0]'), 'hex');
-- the same bytes, good
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\101\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\377\\377\\377\\377\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\253\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
SELECT count(*) FROM received WHERE s = '86400s 1/0 [-1:ab/0]';
-- another version
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\2\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- no half-life
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- a negative half-life
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\377\\377\\377\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- a negative count
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\0\\0\\0\\024\\035\\327\\140\\0\\377\\377\\377\\377\\377\\377\\377\\377\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- observations without cells
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- more cells promised than there are, and a negative number of them
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\377\\377"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\035\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377\\377\\377\\377\\377"' WITH (FORMAT binary)
-- cut short, and two bytes too many
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\5\\1\\0\\0\\0\\024\\377\\377"' WITH (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\037\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
-- an empty cell
\copy received FROM PROGRAM 'printf "PGCOPY\\n\\377\\r\\n\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\101\\1\\0\\0\\0\\024\\035\\327\\140\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\1\\377\\377\\377\\377\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\377\\377"' WITH (FORMAT binary)
SELECT count(*) FROM received;

-- Readings out of range
SELECT crm.successes(s, 'infinity') FROM kept;
SELECT crm.failures(crm.channel_score_of(0, 1, '2026-01-01', '1 day'), '1980-01-01');
SELECT crm.failures(crm.channel_score_of(0, 1, '1980-01-01', '1 day'), '2026-01-01');

-- Under a prior
SELECT crm.score_mean('86400s 0/0 []', 1, 9, '2026-01-01') AS prior,
       crm.score_mean(crm.channel_score_of(3, 1, '2026-01-01', '1 day'), 1, 9, '2026-01-01') AS posterior,
       crm.score_mean(crm.channel_score_of(3, 1, '2026-01-01', '1 day'), 1, 9, '2126-01-01') AS forgotten;
SELECT round(lower::numeric, 11) AS lower, round(upper::numeric, 11) AS upper
FROM crm.score_interval(crm.channel_score_of(11.25, 31.5, '2026-01-01', '1 day'), 1.05, 8.6, '2026-01-01', 0.95);
SELECT round(crm.beta_quantile(0.025, 12.3, 40.1)::numeric, 12), round(crm.beta_quantile(0.975, 12.3, 40.1)::numeric, 12);
SELECT round(lower::numeric, 12) AS lower, round(upper::numeric, 12) AS upper FROM crm.score_interval('86400s 0/0 []', 1, 9, '2026-01-01', 0.99);
SELECT crm.score_draw('86400s 0/0 []', 1, 9, '2026-01-01', 42) = crm.score_draw('86400s 0/0 []', 1, 9, '2026-02-01', 42) AS same_seed,
       crm.score_draw('86400s 0/0 []', 1, 9, '2026-01-01', 42) = crm.beta_draw(1, 9, 42) AS same_draw,
       crm.beta_draw(1, 9, 42) = crm.beta_draw(1, 9, -42) AS other_seed;
SELECT round(avg(d)::numeric, 3) AS mean, round(stddev(d)::numeric, 3) AS sd FROM (SELECT crm.beta_draw(2, 6, i) AS d FROM generate_series(1, 20000) AS i) AS t;
SELECT crm.score_mean('86400s 0/0 []', 0, 9, '2026-01-01');
SELECT crm.score_mean('86400s 0/0 []', 1, 'NaN', '2026-01-01');
SELECT crm.score_interval('86400s 0/0 []', 1, 'Infinity', '2026-01-01', 0.95);
SELECT crm.score_interval('86400s 0/0 []', 1, 9, '2026-01-01', 1);
SELECT crm.score_interval('86400s 0/0 []', 1, 9, '2026-01-01', 'NaN');
SELECT crm.score_draw('86400s 0/0 []', -1, 9, '2026-01-01', 1);
SELECT crm.score_draw('86400s 0/0 []', 1, 9, 'infinity', 1);
SELECT crm.score_mean(NULL, 1, 9, '2026-01-01'), crm.score_draw('86400s 0/0 []', 1, 9, '2026-01-01', NULL);

-- Distribution function and quantiles
SELECT round(crm.beta_cdf(0.1, 1, 9)::numeric, 12), crm.beta_cdf(-1, 1, 9), crm.beta_cdf(2, 1, 9), crm.beta_cdf('NaN', 1, 9);
SELECT crm.beta_quantile(0, 1, 9), crm.beta_quantile(1, 1, 9), round(crm.beta_quantile(0.5, 1, 9)::numeric, 12);
SELECT crm.beta_quantile(1.1, 1, 9);
SELECT crm.beta_quantile(0.5, 0, 9);
SELECT crm.beta_cdf(0.5, 1, 1e13);

-- The probability of being the best
CREATE FUNCTION pg_temp.rounded(float8[]) RETURNS numeric[] LANGUAGE sql AS $$ SELECT array_agg(round(p::numeric, 6) ORDER BY n) FROM unnest($1) WITH ORDINALITY AS u (p, n) $$;
SELECT pg_temp.rounded(crm.probability_best('{1,2}', '{5,4}'));
SELECT pg_temp.rounded(crm.probability_best('{1.5,2.5,4}', '{8.5,7.5,16}'));
SELECT pg_temp.rounded(crm.probability_best('{1.5,2.5,4}', '{8.5,7.5,16}', 60, '{0.5,5,1}'));
SELECT pg_temp.rounded(crm.probability_best('{3,90}', '{2,1}', 1, '{0,5}'));
SELECT crm.probability_best('{3}', '{4}'), crm.probability_best('{}', '{}'), crm.probability_best(NULL, '{1}');
SELECT crm.probability_best('{1,2}', '{3}');
SELECT crm.probability_best('{1,NULL}', '{3,4}');
SELECT crm.probability_best('{{1,2}}', '{{3,4}}');
SELECT crm.probability_best('{1,0}', '{3,4}');
SELECT crm.probability_best('{1,2}', '{3,NaN}');
SELECT crm.probability_best('{1,2}', '{3,4}', 0, '{1,1}');
SELECT crm.probability_best('{1,2}', '{3,4}', 1, '{1,-1}');
SELECT crm.probability_best('{1,2}', '{3,4}', 1, '{1}');
SELECT crm.probability_best(array_fill(1::float8, '{65}'), array_fill(1::float8, '{65}'));
SELECT crm.probability_best('{0.01,1e8}', '{0.01,1e8}');
