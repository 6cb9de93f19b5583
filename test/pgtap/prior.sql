-- prior: each customer's prior, from the default over the common one to the regression, its fallbacks and its half-life.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

-- Without a fit
INSERT INTO crm.customer (customer_id, kind, country) SELECT i, (CASE WHEN i % 2 = 0 THEN 'organisation' ELSE 'person' END)::crm.customer_kind,
    CASE WHEN i % 10 < 7 THEN 'DE' WHEN i % 10 < 9 THEN 'AT' END FROM generate_series(1, 1200) AS i;
UPDATE crm.channel_policy SET prior_success = 1.5, prior_failure = 6 WHERE channel = 'fax';
SELECT is((SELECT count(*) FROM crm.customer_prior), 12000::bigint, 'every customer has a prior on every channel');
SELECT results_eq($$ SELECT a, b FROM crm.customer_prior WHERE customer_id = 7 AND channel = 'fax' $$, $$ VALUES (1.5::float8, 6::float8) $$, 'at first that of the policy');
SELECT results_eq($$ SELECT DISTINCT action, reason FROM crm.refresh_priors() $$,
    $$ VALUES ('default', '0 customers with observations; 50 are needed') $$, 'without observations there is nothing to fit');
SELECT is_empty($$ SELECT FROM crm.channel_prior $$, 'and nothing is kept');
SELECT throws_ok($$ SELECT crm.refresh_priors('infinity') $$, '22023', 'priors are fitted as of a finite time');

-- Features
SELECT results_eq($$ SELECT feature, position, level FROM crm.feature_level $$, $$ VALUES ('country', 1, 'DE') $$, 'the commonest country is told from the others');
SELECT is(crm.feature_names(), '{is_organisation,is_household,age,age_known,is_foreign,is_other_language,peer_group_1,peer_group_2,peer_group_3,tenure,is_buyer,purchases,recency}',
    'the features are the columns after the key');
SELECT is(crm.feature_values(f), '{1,0,NULL,0,1,NULL,0,0,0,0,0,0,NULL}', 'their values as numbers, null where not known') FROM crm.customer_feature AS f WHERE customer_id = 8;
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (8, now() - interval '3 days', 10), (8, now() - interval '9 days', 10);
SELECT results_eq($$ SELECT is_buyer, round(purchases::numeric, 6), round(recency::numeric, 6) FROM crm.customer_feature WHERE customer_id = 8 $$,
    $$ VALUES (true, round(ln(3.0), 6), round(ln(4.0), 6)) $$, 'purchases and their recency');
DELETE FROM crm.purchase WHERE customer_id = 8;

-- A level is asked for once for all rows of a statement, and again where the table may say something else: after a change, a part of
-- the transaction that is undone, as another role, for another place; also where one expression is computed again and again.
CREATE FUNCTION pg_temp.levels() RETURNS text[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen text[] := '{}';
    place integer := 1;
BEGIN
    FOR step IN 1 .. 6 LOOP
        seen := seen || coalesce(crm.level_of('country', place), 'none');
        IF step = 1 THEN
            UPDATE crm.feature_level SET level = 'AT' WHERE feature = 'country';
        ELSIF step = 2 THEN
            BEGIN
                UPDATE crm.feature_level SET level = 'CH' WHERE feature = 'country';
                FOR inner_step IN 1 .. 1 LOOP
                    seen := seen || crm.level_of('country', place);
                END LOOP;
                RAISE EXCEPTION 'undone';
            EXCEPTION WHEN raise_exception THEN NULL;
            END;
        ELSIF step = 3 THEN
            place := 2;
        ELSIF step = 4 THEN
            place := 1;
            DELETE FROM crm.feature_level WHERE feature = 'country';
        ELSIF step = 5 THEN
            INSERT INTO crm.feature_level (feature, position, level) VALUES ('country', 1, 'DE');
        END IF;
    END LOOP;
    RETURN seen;
END $$;
SELECT is(pg_temp.levels(), '{DE,AT,CH,AT,none,none,DE}', 'a level is what the table says at the time');
SELECT is((SELECT count(DISTINCT crm.level_of('country', 1)) FROM generate_series(1, 1000)), 1::bigint, 'for all rows the same');
SELECT is(crm.level_of(NULL, 1), NULL, 'of no feature none');

-- Answers: organisations answer letters, persons telephone calls; e-mail is answered by any with the same rate; fax never
CREATE TEMP TABLE trial AS
SELECT i AS customer_id, c.channel::crm.channel, k, (hashint8extended(i * 1000 + k * 10 + c.n, 1) % 1000 + 1000) % 1000 / 1000.0 AS chance, c.yes, c.no
FROM generate_series(1, 1000) AS i, generate_series(1, 6) AS k,
     (VALUES (1, 'letter', 0.7, 0.2), (2, 'phone', 0.2, 0.6), (3, 'email', 0.3, 0.3), (4, 'fax', 0, 0)) AS c (n, channel, yes, no);
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT customer_id, channel, 'outbound', (CASE WHEN chance < CASE WHEN customer_id % 2 = 0 THEN yes ELSE no END THEN 'replied' ELSE 'unanswered' END)::crm.outcome,
       now() - (k * 10 + 1) * interval '1 day'
FROM trial;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT i, 'visit', 'outbound', 'reached', now() - interval '1 day' FROM generate_series(1, 49) AS i;
CREATE TEMP TABLE refreshed AS SELECT * FROM crm.refresh_priors();
SELECT results_eq($$ SELECT channel, action, method FROM refreshed WHERE channel IN ('letter', 'phone', 'email', 'fax', 'visit', 'web') ORDER BY channel $$,
    $$ VALUES ('phone'::crm.channel, 'fitted', 'regression'), ('email', 'fitted', 'common'), ('letter', 'fitted', 'regression'),
              ('fax', 'default', 'common'), ('visit', 'default', 'common'), ('web', 'default', 'common') $$,
    'a regression where features tell, the common prior where they do not, the default without success or with few customers');
SELECT results_eq($$ SELECT channel, reason FROM refreshed WHERE channel IN ('fax', 'visit') ORDER BY channel $$,
    $$ VALUES ('fax'::crm.channel, 'no success yet'), ('visit', '49 customers with observations; 50 are needed') $$, 'reasons in words');
SELECT results_eq($$ SELECT round((a / (a + b))::numeric, 1) FROM crm.customer_prior WHERE channel = 'letter' AND customer_id IN (1101, 1102) ORDER BY customer_id $$,
    $$ VALUES (0.2), (0.7) $$, 'a customer of whom nothing was seen has the prior of his like');
SELECT results_eq($$ SELECT round((a / (a + b))::numeric, 1) FROM crm.customer_prior WHERE channel = 'phone' AND customer_id IN (1101, 1102) ORDER BY customer_id $$,
    $$ VALUES (0.6), (0.2) $$, 'and another one on another channel');
SELECT is((SELECT count(DISTINCT (a, b)) FROM crm.customer_prior WHERE channel = 'email'), 1::bigint, 'the common prior is one for all');
SELECT results_eq($$ SELECT a, b FROM crm.customer_prior WHERE channel = 'email' AND customer_id = 1 $$,
    $$ SELECT prior_success, prior_failure FROM crm.channel_prior WHERE channel = 'email' AND is_current $$, 'it is what was fitted');
SELECT ok(bool_and(abs(c.a - p.a) < 1e-12 AND abs(c.b - p.b) < 1e-12), 'the view gives what crm.beta_regression_prior gives')
FROM crm.customer_prior AS c JOIN crm.channel_prior AS r ON r.channel = c.channel AND r.is_current AND r.method = 'regression'
JOIN crm.customer_feature AS f USING (customer_id), crm.beta_regression_prior(r.weights, r.strength, crm.feature_values(f), r.means) AS p;
SELECT is_empty($$ SELECT FROM crm.customer_prior WHERE NOT (a >= 0.05 AND b >= 0.05 AND a + b < 1000) $$, 'no prior is void or not a number');
SELECT is((SELECT log_likelihood FROM crm.channel_prior WHERE channel = 'email'), (SELECT log_likelihood FROM
    (SELECT (crm.beta_prior(crm.successes(score, now()), crm.failures(score, now()))).* FROM crm.customer_channel WHERE channel = 'email') AS p),
    'the common prior is crm.beta_prior of the scores');
SELECT is((SELECT half_life FROM refreshed WHERE channel = 'letter'), '364 days'::interval, 'a steady rate is fitted with the scores'' own half-life');

-- History, keeping
SELECT lives_ok($$ SELECT crm.refresh_priors() $$, 'again');
SELECT is((SELECT count(*) FROM crm.channel_prior WHERE channel = 'letter'), 2::bigint, 'the one before is kept');
SELECT is((SELECT count(*) FROM crm.channel_prior WHERE channel = 'letter' AND is_current), 1::bigint, 'one is in force');
SELECT is((SELECT weights FROM crm.channel_prior WHERE channel = 'letter' AND is_current), (SELECT weights FROM crm.channel_prior WHERE channel = 'letter' AND NOT is_current),
    'the same observations give the same weights, to the last bit');
DELETE FROM crm.interaction WHERE channel = 'letter' AND customer_id > 40;
SELECT results_eq($$ SELECT action, method FROM crm.refresh_priors() WHERE channel = 'letter' $$, $$ VALUES ('kept', 'regression') $$, 'with few customers left the last prior is kept');

-- As of a time
SELECT is((SELECT customers FROM crm.refresh_priors(now() - interval '90 days') WHERE channel = 'phone'), 0::bigint, 'as of a time before the first contact nobody was observed');
SELECT cmp_ok((SELECT failures FROM crm.channel_prior WHERE channel = 'phone' AND is_current), '>', 1000::float8, 'and the prior stays');
SELECT ok(abs((SELECT (f.fit).successes FROM crm.fit_priors(now() - interval '35 days', '{phone}', '{364 days}') AS f)
    - (SELECT sum(2 ^ (-((k * 10 + 1 - 35) / 364.0)))::float8 FROM trial WHERE channel = 'phone' AND k >= 4 AND chance < CASE WHEN customer_id % 2 = 0 THEN yes ELSE no END)) < 1e-3,
    'of an earlier time the scores are those of then');
SELECT ok(abs((SELECT (f.fit).successes FROM crm.fit_priors(now(), '{phone}', '{20 days}') AS f)
    - (SELECT sum(2 ^ (-((k * 10 + 1) / 20.0)))::float8 FROM trial WHERE channel = 'phone' AND chance < CASE WHEN customer_id % 2 = 0 THEN yes ELSE no END)) < 1e-3,
    'with another half-life they come from the log');

-- A rate that jumps: the population forgets faster
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT i, 'sms', 'outbound', (CASE WHEN (hashint8extended(i * 1000 + k, 2) % 1000 + 1000) % 1000 < CASE WHEN k % 100 < 50 THEN 100 ELSE 700 END THEN 'replied' ELSE 'unanswered' END)::crm.outcome,
       now() - k * interval '1 day' - i * interval '1 minute'
FROM generate_series(1, 300) AS i, generate_series(1, 300, 10) AS k;
SELECT cmp_ok((SELECT half_life FROM crm.channel_half_lives() WHERE channel = 'sms' AND is_best), '<', '60 days'::interval, 'where rates jump, a short half-life foretells best');
SELECT ok((SELECT bool_or(l.loss < b.loss AND l.effective_events < 150) AND b.effective_events >= 150 AND b.gain_error > 0
           FROM crm.channel_half_lives() AS l JOIN crm.channel_half_lives() AS b ON b.channel = l.channel AND b.is_best
           WHERE l.channel = 'sms' GROUP BY b.effective_events, b.gain_error), 'shorter ones would foretell better still, and leave too few events to fit on');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT i, 'social', 'outbound', (CASE WHEN i % 10 < CASE WHEN k > 5 THEN 1 ELSE 7 END THEN 'replied' ELSE 'unanswered' END)::crm.outcome, now() - k * interval '30 days'
FROM generate_series(1, 1000) AS i, generate_series(1, 10) AS k;
SELECT ok((SELECT bool_or(l.loss < 0.95 * b.loss AND l.effective_events >= 150) AND b.half_life = '364 days'
           FROM crm.channel_half_lives() AS l JOIN crm.channel_half_lives() AS b ON b.channel = l.channel AND b.is_best
           WHERE l.channel = 'social' GROUP BY b.half_life), 'ten times, however many customers, are too few to tell half-lives apart');
SELECT is((SELECT count(*) FROM crm.channel_half_lives() WHERE channel = 'sms'), 8::bigint, 'each candidate has its loss');
SELECT cmp_ok((SELECT half_life FROM crm.refresh_priors() WHERE channel = 'sms'), '<', '60 days'::interval, 'it is used');
SELECT cmp_ok((SELECT prior_success / (prior_success + prior_failure) FROM crm.channel_prior WHERE channel = 'sms' AND is_current), '<', 0.25::float8, 'and the prior is that of the present');

-- Features of one's own: columns at the end of the view
SELECT lives_ok(format('CREATE OR REPLACE VIEW crm.customer_feature WITH (security_invoker = true) AS SELECT o.*, o.customer_id %% 3 = 0 AS is_third FROM (%s) AS o',
    rtrim(pg_get_viewdef('crm.customer_feature'::regclass), ';')), 'the view may get more columns');
SELECT ok(count(*) = 1200 AND bool_and(a > 0 AND b > 0), 'priors in force go on with the columns they know') FROM crm.customer_prior WHERE channel = 'phone';
SELECT is((SELECT features[14] FROM crm.channel_prior WHERE channel = 'phone' AND is_current AND method = 'regression'), NULL, 'a feature more than the fit knows');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT i, 'chat', 'outbound', (CASE WHEN (i % 3 = 0) = (k > 1) THEN 'replied' ELSE 'unanswered' END)::crm.outcome, now() - k * interval '1 day'
FROM generate_series(1, 300) AS i, generate_series(1, 6) AS k;
SELECT is((SELECT method FROM crm.refresh_priors() WHERE channel = 'chat'), 'regression', 'the new feature is used');
SELECT ok((SELECT avg(a / (a + b)) FROM crm.customer_prior WHERE channel = 'chat' AND customer_id % 3 = 0) >
          (SELECT avg(a / (a + b)) FROM crm.customer_prior WHERE channel = 'chat' AND customer_id % 3 > 0) + 0.4, 'and tells customers apart');

SELECT * FROM finish();
ROLLBACK;
