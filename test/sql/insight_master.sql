-- The CDNOW master (23,570 customers), where it is: ../shared/data beside the repository, or the directory named by CRM_SHARED_DATA.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS crm CASCADE;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set shared :abs_srcdir '/../../shared/data'
\getenv shared CRM_SHARED_DATA
\set master :shared '/cdnow/cdnow_master.csv'
SELECT (pg_stat_file(:'master', true)).size IS NOT NULL AS there \gset
\if :there
CREATE TEMP TABLE log (customer_id int, date date, cds int, price numeric);
COPY log FROM :'master' (FORMAT csv, HEADER);
\set ECHO all
CREATE TEMP TABLE master AS
    SELECT count(*) FILTER (WHERE date <= '1997-09-30') - 1 AS x, (max(date) FILTER (WHERE date <= '1997-09-30') - min(date)) / 7.0 AS t_x,
           ('1997-09-30' - min(date)) / 7.0 AS t, sum(spend) FILTER (WHERE date <= '1997-09-30' AND date > first) AS spend,
           count(*) FILTER (WHERE date > '1997-09-30') AS later
      FROM (SELECT customer_id, date, sum(price) AS spend, min(date) OVER (PARTITION BY customer_id) AS first FROM log GROUP BY 1, 2) d
     GROUP BY customer_id;
CREATE TEMP TABLE fit AS
          SELECT (crm.nbd_fit(x, t_x, t)).* FROM master
UNION ALL SELECT (crm.bg_nbd_fit(x, t_x, t)).* FROM master
UNION ALL SELECT (crm.mbg_nbd_fit(x, t_x, t)).* FROM master
UNION ALL SELECT (crm.pareto_nbd_fit(x, t_x, t)).* FROM master
UNION ALL SELECT (crm.gamma_gamma_fit(x, spend / x)).* FROM master WHERE x > 0;
CREATE TEMP TABLE reference (model text, log_likelihood float8, parameters float8[]);
INSERT INTO reference VALUES
    ('nbd', -96845.344241, '{.3872472, 12.2712276}'),
    ('bg_nbd', -95368.443933, '{.251624, 4.7889428, .7234335, 2.1610881}'),
    ('mbg_nbd', -95336.958320, '{.6371397, 7.3102892, .807474, 1.2283937}'),
    ('pareto_nbd', -95415.118617, '{.59742, 11.58566, .522186, 8.82776}'),
    ('gamma_gamma', -40763.476261, '{6.2753591, 3.62445, 14.9836871}');
SELECT model, customers, distinct_rows, converged, boundary,
       abs(f.log_likelihood - r.log_likelihood) < 1e-4 AS right_likelihood, f.log_likelihood > r.log_likelihood - 1e-6 AS not_below,
       (SELECT bool_and(abs(a / b - 1) < 1e-4) FROM unnest(f.parameters, r.parameters) AS p(a, b)) AS right_parameters
  FROM fit f JOIN reference r USING (model);
-- What is expected in the 39 weeks that follow, against what came.
SELECT round(sum(crm.bg_nbd_expected(b.parameters, x, t_x, t, 39))::numeric, 1) AS bg_nbd, round(sum(crm.mbg_nbd_expected(m.parameters, x, t_x, t, 39))::numeric, 1) AS mbg_nbd,
       round(sum(crm.pareto_nbd_expected(p.parameters, x, t_x, t, 39))::numeric, 1) AS pareto_nbd, sum(later) AS came
  FROM master, fit b, fit m, fit p WHERE b.model = 'bg_nbd' AND m.model = 'mbg_nbd' AND p.model = 'pareto_nbd';
SELECT round(sum(crm.customer_value('bg_nbd', b.parameters, x, t_x, t, crm.gamma_gamma_spend(g.parameters, x, spend / nullif(x, 0)), 12 * 4.345, 0.01, 4.345))::numeric, 2) AS twelve_months
  FROM master, fit b, fit g WHERE b.model = 'bg_nbd' AND g.model = 'gamma_gamma';
\else
\echo skipped: the CDNOW master is not there
\endif
