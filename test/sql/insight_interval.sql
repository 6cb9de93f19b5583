-- Intervals of the customer-base models: the delta method against draws of the parameters.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set summary :abs_srcdir '/data/cdnow_summary.csv'
\set ECHO all
\set VERBOSITY default
SET extra_float_digits = 0;

CREATE TEMP TABLE summary (x int, t_x_days int, t_days int, spend_cents bigint, customers int);
\set ECHO none
COPY summary FROM :'summary' (FORMAT csv, HEADER);
\set ECHO all
CREATE TEMP TABLE fit AS
          SELECT (crm.mbg_nbd_fit(x, t_x_days / 7.0, t_days / 7.0)).* FROM summary, generate_series(1, customers)
UNION ALL SELECT (crm.gamma_gamma_fit(x, spend_cents / 100.0 / nullif(x, 0))).* FROM summary, generate_series(1, customers);
SELECT max(parameters) FILTER (WHERE model = 'mbg_nbd') AS mbg, max(covariance) FILTER (WHERE model = 'mbg_nbd') AS mbg_covariance,
       max(parameters) FILTER (WHERE model = 'gamma_gamma') AS gg, max(covariance) FILTER (WHERE model = 'gamma_gamma') AS gg_covariance FROM fit \gset

-- Draws of the logarithms of the parameters from the normal distribution with their covariance, the same on every machine.
CREATE FUNCTION pg_temp.u(bigint, bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
    RETURN (('x' || substr(md5($1 || ':' || $2), 1, 8))::bit(32)::bigint + 0.5) / 4294967296.0::float8;
CREATE FUNCTION pg_temp.draw(p float8[], covariance float8[], i bigint) RETURNS float8[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    n int := cardinality(p);
    factor float8[] := array_fill(0::float8, ARRAY[n, n]);
    z float8[];
    drawn float8[] := '{}';
    s float8;
BEGIN
    FOR a IN 1 .. n LOOP
        z[a] := sqrt(-2 * ln(pg_temp.u(i, 10 * n + 2 * a))) * cos(2 * pi() * pg_temp.u(i, 10 * n + 2 * a + 1));
        FOR b IN 1 .. a LOOP
            s := covariance[a][b] / (p[a] * p[b]);
            FOR c IN 1 .. b - 1 LOOP
                s := s - factor[a][c] * factor[b][c];
            END LOOP;
            factor[a][b] := CASE WHEN a = b THEN sqrt(s) ELSE s / factor[b][b] END;
        END LOOP;
        s := 0;
        FOR b IN 1 .. a LOOP
            s := s + factor[a][b] * z[b];
        END LOOP;
        drawn := drawn || p[a] * exp(s);
    END LOOP;
    RETURN drawn;
END $$;
CREATE TEMP TABLE drawn AS
    SELECT pg_temp.draw(:'mbg', :'mbg_covariance', i) AS mbg, pg_temp.draw(:'gg', :'gg_covariance', i) AS gg FROM generate_series(1, 4000) AS i;

-- Of 4,000 draws the middle 95 % of the expectation: as wide as the interval of the delta method to a tenth, and with its middle in
-- the same place to 15 % of its width (in logarithms); the method is of first order, and errs most for who did not come back.
CREATE TEMP TABLE customer (customer int, x int, t_x float8, t float8, m_x float8);
INSERT INTO customer VALUES (1, 2, 213 / 7.0, 272 / 7.0, 44.69 / 2), (4, 0, 0, 272 / 7.0, NULL), (6, 7, 206 / 7.0, 272 / 7.0, 516.19 / 7), (1516, 26, 216 / 7.0, 31, 1039.22 / 26);
CREATE FUNCTION pg_temp.agree(i crm.estimate, draws float8[]) RETURNS text LANGUAGE sql RETURN
    CASE WHEN abs(ln((i).upper / (i).lower) / ln(draws[2] / draws[1]) - 1) < 0.1
              AND abs(ln((i).upper * (i).lower / draws[2] / draws[1]) / 2 / ln(draws[2] / draws[1])) < 0.15 THEN 'agrees'
         ELSE format('%s against %s', i, draws) END;
SELECT customer,
       pg_temp.agree(crm.expected_interval('mbg_nbd', :'mbg', :'mbg_covariance', x, t_x, t, 52), percentile_cont('{0.025,0.975}'::float8[]) WITHIN GROUP (ORDER BY crm.mbg_nbd_expected(mbg, x, t_x, t, 52))) AS purchases,
       pg_temp.agree(crm.spend_interval(:'gg', :'gg_covariance', x, m_x), percentile_cont('{0.025,0.975}'::float8[]) WITHIN GROUP (ORDER BY crm.gamma_gamma_spend(gg, x, m_x))) AS spend,
       pg_temp.agree(crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', x, t_x, t, m_x, 52, 0.002),
                     percentile_cont('{0.025,0.975}'::float8[]) WITHIN GROUP (ORDER BY crm.customer_value('mbg_nbd', mbg, x, t_x, t, crm.gamma_gamma_spend(gg, x, m_x), 52, 0.002))) AS value
  FROM customer, drawn GROUP BY customer, x, t_x, t, m_x ORDER BY customer;

-- The value is that of the functions without interval; its interval is wider than each of the two it comes from, and widens with the level.
SELECT customer, abs((v).value / crm.customer_value('mbg_nbd', :'mbg', x, t_x, t, crm.gamma_gamma_spend(:'gg', x, m_x), 52, 0.002) - 1) < 1e-12 AS same,
       (s).value = crm.gamma_gamma_spend(:'gg', x, m_x) AS same_spend, ln((v).upper / (v).lower) > ln((s).upper / (s).lower) AS wider_than_spend,
       ln((v).upper / (v).lower) > 0.9 * ln((p).upper / (p).lower) AS than_purchases, (w).lower < (v).lower AND (v).upper < (w).upper AS with_level
  FROM (SELECT *, crm.expected_interval('mbg_nbd', :'mbg', :'mbg_covariance', x, t_x, t, 52) AS p, crm.spend_interval(:'gg', :'gg_covariance', x, m_x) AS s,
               crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', x, t_x, t, m_x, 52, 0.002) AS v,
               crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', x, t_x, t, m_x, 52, 0.002, 0.99) AS w FROM customer) c ORDER BY 1;

-- What is not known, not finite or wrong.
SELECT (crm.spend_interval('{6, 4, 15}', '{{NULL,0,0},{0,1,0},{0,0,1}}', 2, 30)).value IS NOT NULL AS value, (crm.spend_interval('{6, 4, 15}', '{{NULL,0,0},{0,1,0},{0,0,1}}', 2, 30)).lower IS NULL AS no_bound,
       crm.spend_interval('{6, 0.9, 15}', :'gg_covariance', 0, NULL) IS NULL AS not_finite, crm.spend_interval('{6, 4, 15}', :'gg_covariance', 2, NULL) IS NULL AS no_spend,
       crm.value_interval('nbd', '{0.5, 8}', NULL, '{6, 4, 15}', :'gg_covariance', 2, 3, 4, 5, 6, 0) IS NULL AS no_covariance,
       round((crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', 2, 20, 30, 40, 'infinity', 0.01)).value::numeric, 4) AS endless;
SELECT crm.spend_interval('{6, 4, 15}', '{{1}}', 2, 30);
SELECT crm.spend_interval('{6, 4, 15}', :'gg_covariance', 2, -1);
SELECT crm.spend_interval('{6, 4, 15}', :'gg_covariance', 2, 1, 1);
SELECT crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', 2, 20, 30, 40, 'infinity', 0);
SELECT crm.value_interval('mbg_nbd', :'mbg', :'gg_covariance', :'gg', :'gg_covariance', 2, 20, 30, 40, 52, 0);
SELECT crm.value_interval('mbg_nbd', :'mbg', :'mbg_covariance', :'gg', :'gg_covariance', 2, 20, 10, 40, 52, 0);
