-- Upkeep: what the clock starts is done when it is due, by one caller at a time, and one task that fails stops no other. And
-- whoever is given the right to call what keeps the derived tables can do so.
BEGIN;
SET LOCAL search_path = pg_catalog, tap, pg_temp;
SELECT no_plan();

CREATE ROLE crm_upkeep_manager;
CREATE ROLE crm_upkeep_admin;
CREATE ROLE crm_upkeep_agent;
CREATE ROLE crm_upkeep_new;
GRANT USAGE ON SCHEMA tap TO crm_upkeep_manager, crm_upkeep_admin, crm_upkeep_agent;
SELECT crm.grant_access('crm_upkeep_manager', 'manager');
SELECT crm.grant_access('crm_upkeep_admin', 'admin');
SELECT crm.grant_access('crm_upkeep_agent', 'agent');

INSERT INTO crm.customer (customer_id, name) SELECT n, 'C' || n FROM generate_series(1, 200) AS n;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT n % 200 + 1, 'phone', 'outbound', CASE WHEN n % 3 = 0 THEN 'reached' ELSE 'unreached' END::crm.outcome, now() - n * interval '1 hour'
FROM generate_series(1, 800) AS n;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT n, 'email', 'outbound', 'sent', now() - interval '300 days' FROM generate_series(1, 5) AS n;
INSERT INTO crm.purchase (customer_id, amount, purchased_at) SELECT n % 200 + 1, n, now() - (abs(hashint4(n) % 900) + 1) * interval '1 day' FROM generate_series(1, 900) AS n;
SET LOCAL crm.loop = deferred;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (7, 'letter', 'inbound', 'replied');
SET LOCAL crm.loop = immediate;

-- Each task --------------------------------------------------------------------------------------------------------

SELECT is_empty($$ SELECT task FROM crm.upkeep WHERE last_run_at IS NOT NULL $$, 'nothing has been done yet');
SELECT is(crm.run_upkeep('analyse'), '1 interactions and 0 purchases taken in', 'what waits is taken in');
SELECT is(crm.run_upkeep('analyse'), '0 interactions and 0 purchases taken in', 'once');
SELECT is(crm.run_upkeep('close_windows'), '5 contacts unanswered', 'windows are closed');
SELECT is(crm.run_upkeep('expire_leases'), '0 leases ended', 'leases are ended');
SELECT is(crm.run_upkeep('expire_handovers'), '0 offers expired', 'offers expire');
SELECT is(crm.run_upkeep('narrow_publications'), '0 audiences taken out of publications', 'publications are looked at');
SELECT is(crm.run_upkeep('reclassify_machines'), '0 openings and clicks classified anew', 'machines are looked for');
SELECT matches(crm.run_upkeep('refresh_priors'), '^\d+ priors fitted, 0 kept, \d+ by default$', 'priors are fitted');
SELECT cmp_ok((SELECT count(*) FROM crm.channel_prior WHERE is_current), '>', 0::bigint, 'and in force');
SELECT matches(crm.run_upkeep('refresh_hours'), '^\d+ hours of channels$', 'hours are counted');
SELECT matches(crm.run_upkeep('fit_models'), '^\d+ models in force$', 'models are fitted');
SELECT is_empty($$ SELECT * FROM crm.upkeep WHERE last_run_at IS DISTINCT FROM now() OR last_took IS NULL OR last_result IS NULL OR last_error IS NOT NULL $$,
                'each says when it was done, how long it took and what it did');
SELECT is_empty($$ SELECT * FROM crm.verify() WHERE differing <> 0 $$, 'what is derived is what the facts say');
SELECT throws_ok($$ SELECT crm.run_upkeep('dance') $$, '22023', 'there is no upkeep named "dance"', 'an unknown task is refused');
SELECT throws_ok($$ SELECT crm.run_upkeep('analyse', 'infinity') $$, '22023', 'upkeep is done as of a finite time', 'so is an infinite time');

-- When it is due -----------------------------------------------------------------------------------------------------

SELECT is(crm.try_upkeep('refresh_priors', now() + interval '23 hours'), NULL, 'what is not due is not done');
SELECT isnt(crm.try_upkeep('refresh_priors', now() + interval '24 hours'), NULL, 'what is due is');
SELECT is(crm.try_upkeep('close_windows', now()), '0 contacts unanswered', 'what is to be done at each call is');
UPDATE crm.upkeep SET every = NULL WHERE task = 'close_windows';
SELECT is(crm.try_upkeep('close_windows', now() + interval '1 year'), NULL, 'what is never to be done is not');

-- An error in one: its own work is undone, it is told, and said in the table.
SAVEPOINT broken;
ALTER TABLE crm.channel_hour ADD CONSTRAINT refuse CHECK (hour < 0) NOT VALID;
SELECT is(crm.try_upkeep('refresh_hours', now() + interval '2 days'), NULL, 'what fails returns nothing');
SELECT matches((SELECT last_error FROM crm.upkeep WHERE task = 'refresh_hours'), 'refuse', 'and why it did is in the table');
SELECT cmp_ok((SELECT count(*) FROM crm.channel_hour), '>', 0::bigint, 'what there was is still there');
ROLLBACK TO broken;

SELECT throws_ok($$ CALL crm.maintain() $$, '2D000', NULL, 'all of it is no part of a transaction');

-- Who may ------------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE upkeep_call (kind text, statement text);
GRANT SELECT ON upkeep_call TO crm_upkeep_manager, crm_upkeep_admin, crm_upkeep_agent;
INSERT INTO upkeep_call
SELECT k.kind, c.statement
FROM (VALUES ('manager'), ('admin')) AS k (kind)
CROSS JOIN (VALUES ('SELECT * FROM crm.refresh_priors()'), ('SELECT crm.refresh_hours()'), ('CALL crm.fit_models()'), ('CALL crm.analyse()'),
                   ('SELECT crm.close_windows()'), ('SELECT crm.expire_handovers()'), ('SELECT crm.expire_leases()'), ('SELECT crm.reclassify_machines()'),
                   ('SELECT crm.make_current((SELECT min(model_id) FROM crm.model))'), ('SELECT * FROM crm.verify()')) AS c (statement)
UNION ALL
SELECT 'admin', c.statement
FROM (VALUES ('SELECT * FROM crm.rebuild()'), ('SELECT crm.rebuild_audiences()'), ('SELECT crm.run_upkeep(''analyse'')'), ('SELECT crm.try_upkeep(''analyse'', now())'),
             ('SELECT crm.grant_access(''crm_upkeep_new'', ''agent'')'), ('SELECT crm.revoke_access(''crm_upkeep_new'')'),
             ('UPDATE crm.upkeep SET every = ''2 days'' WHERE task = ''fit_models''')) AS c (statement);
SET LOCAL crm.loop = deferred;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) SELECT n, 'email', 'outbound', 'sent', now() - interval '200 days' FROM generate_series(1, 5) AS n;
SET LOCAL crm.loop = immediate;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) SELECT n, 'email', 'outbound', 'sent', now() - interval '100 days' FROM generate_series(1, 5) AS n;
SET LOCAL ROLE crm_upkeep_manager;
SELECT lives_ok(statement, 'a manager: ' || statement) FROM upkeep_call WHERE kind = 'manager';
SELECT throws_ok($$ SELECT crm.grant_access('crm_upkeep_new', 'admin') $$, '42501', NULL, 'a manager gives no access');
SELECT throws_ok($$ SELECT crm.run_upkeep('analyse') $$, '42501', NULL, 'and does no upkeep');
SET LOCAL ROLE crm_upkeep_admin;
SELECT lives_ok(statement, 'an admin: ' || statement) FROM upkeep_call WHERE kind = 'admin';
SELECT crm.grant_access('crm_upkeep_new', 'reader');
SELECT throws_ok($$ SELECT crm.place_customers('{1}') $$, '42501', NULL, 'an admin does not do what is the owner''s');
SET LOCAL ROLE crm_upkeep_agent;
SELECT throws_ok(statement, '42501', NULL, 'not an agent: ' || statement) FROM upkeep_call WHERE kind = 'admin' AND statement !~ 'verify|UPDATE';
RESET ROLE;
SELECT ok(has_table_privilege('crm_upkeep_new', 'crm.customer', 'SELECT'), 'the access that the admin gave is there');
SELECT is_empty($$ SELECT * FROM crm.verify() WHERE differing <> 0 $$, 'what is derived is still what the facts say');

SELECT * FROM finish();
ROLLBACK;
