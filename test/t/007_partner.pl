# Sessions at the same time write, change, end, offer and accept responsibilities at random, several in one statement and
# several statements in one transaction. Whatever happens, never are two partners accountable for one duty, channel, scope
# and instant, no accepted hand-over has a gap, and nobody deadlocks. And the index answers what a scan answers.
#
# CRM_PARTNER_TRANSACTIONS   how many for each of four sessions (default 200)
# CRM_SEED                   repeats what is drawn, not the order in which the sessions meet
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $transactions = $ENV{CRM_PARTNER_TRANSACTIONS} // 200;
my $seed = seed();
my $node = new_server('partner');
new_database($node, 'partner');
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('partner', <<'SQL');
INSERT INTO crm.customer (customer_id, name) SELECT n, 'C' || n FROM generate_series(1, 4) AS n;
INSERT INTO crm.partner (partner_id, name, position) SELECT n, 'P' || n, 'retailer' FROM generate_series(1, 5) AS n;
INSERT INTO crm.handover_rule (answer_within) VALUES ('100 hours');
CREATE TABLE public.outcome (what text, state text);

CREATE FUNCTION public.some(VARIADIC text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT ($1)[1 + floor(random() * cardinality($1))] $$;
CREATE FUNCTION public.some_duty() RETURNS crm.responsibility LANGUAGE sql VOLATILE AS $$
    SELECT (public.some('accountable', 'accountable', 'accountable', 'consulted') || ': ' || public.some('sell', 'service', 'sell, service', 'market, sell')
            || public.some('', '', ' via phone', ' via email, phone', ' via fax'))::crm.responsibility $$;
CREATE FUNCTION public.some_period() RETURNS tstzrange LANGUAGE sql VOLATILE AS $$
    SELECT tstzrange(f, CASE WHEN random() < 0.7 THEN f + interval '1 day' * ceil(random() * 500) END)
    FROM (SELECT date_trunc('day', timestamptz '2026-01-01' + interval '1 day' * floor(random() * 400)) AS f OFFSET 0) AS d $$;
CREATE FUNCTION public.write() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    what text := public.some('insert', 'insert', 'insert', 'update', 'end', 'delete', 'offer', 'answer', 'answer', 'expire');
    h crm.handover;
    r crm.partner_responsibility;
BEGIN
    CASE what
    WHEN 'insert' THEN
        INSERT INTO crm.partner_responsibility (partner_id, customer_id, territory, segment, product, duty, valid)
        SELECT 1 + floor(random() * 5)::bigint, CASE WHEN s = 1 THEN 1 + floor(random() * 4)::bigint END, CASE WHEN s = 2 THEN public.some('eu', 'eu.de', 'us')::ltree END,
               CASE WHEN s = 2 THEN public.some(NULL, NULL, 'business', 'business.large')::ltree END,
               public.some(NULL, NULL, 'tools', 'tools.saws')::ltree, public.some_duty(), public.some_period()
        FROM (SELECT floor(random() * 3) AS s FROM generate_series(1, 1 + floor(random() * 3)::int) OFFSET 0) AS n;
    WHEN 'update' THEN
        UPDATE crm.partner_responsibility SET duty = public.some_duty(), valid = public.some_period()
        WHERE responsibility_id IN (SELECT responsibility_id FROM crm.partner_responsibility ORDER BY random() LIMIT 2);
    WHEN 'end' THEN
        UPDATE crm.partner_responsibility SET valid = tstzrange(lower(valid), lower(valid) + interval '1 day')
        WHERE responsibility_id IN (SELECT responsibility_id FROM crm.partner_responsibility ORDER BY random() LIMIT 3);
    WHEN 'delete' THEN
        DELETE FROM crm.partner_responsibility WHERE responsibility_id IN (SELECT responsibility_id FROM crm.partner_responsibility
            WHERE responsibility_id NOT IN (SELECT responsibility_id FROM crm.handover) ORDER BY random() LIMIT 1);
    WHEN 'offer' THEN
        SELECT * INTO r FROM crm.partner_responsibility WHERE valid @> now() AND crm.is_accountable(duty) ORDER BY random() LIMIT 1;
        PERFORM crm.offer_next_handover(r.responsibility_id, r.partner_id) WHERE r.responsibility_id IS NOT NULL;
    WHEN 'answer' THEN
        SELECT * INTO h FROM crm.handover WHERE status = 'offered' ORDER BY random() LIMIT 1;
        IF h.handover_id IS NOT NULL AND random() < 0.7 THEN
            PERFORM crm.accept_handover(h.handover_id, h.to_partner_id);
        ELSIF h.handover_id IS NOT NULL THEN
            PERFORM crm.decline_handover(h.handover_id, h.to_partner_id, 'no');
        END IF;
    ELSE
        PERFORM crm.expire_handovers(now() + interval '1 hour' * floor(random() * 100));
    END CASE;
    INSERT INTO public.outcome VALUES (what, NULL);
EXCEPTION
    WHEN exclusion_violation OR check_violation OR unique_violation THEN INSERT INTO public.outcome VALUES (what, sqlstate);
END $$;

-- What must hold, without a function of crm: duties and channels are read from the text.
CREATE VIEW public.held AS
SELECT r.responsibility_id, coalesce(r.customer_id, 0) AS customer, coalesce(r.territory::text, '') AS territory, coalesce(r.segment::text, '') AS segment, coalesce(r.product::text, '') AS product, d AS duty, c AS channel, r.valid
FROM crm.partner_responsibility AS r
CROSS JOIN LATERAL string_to_table(split_part(split_part(r.duty::text, ': ', 2), ' via ', 1), ', ') AS d
CROSS JOIN LATERAL string_to_table(CASE WHEN r.duty::text LIKE '% via %' THEN split_part(r.duty::text, ' via ', 2) ELSE 'phone, email, fax, letter' END, ', ') AS c
WHERE r.duty::text LIKE 'accountable:%';
SQL

my $write = "$dir/write.sql";
append_to_file($write, "BEGIN;\nSELECT public.write();\nSELECT public.write();\nCOMMIT;\n");
$node->command_ok([ 'pgbench', '-n', '-c', 4, '-j', 2, '-t', $transactions, '--random-seed', $seed, '-f', $write,
		'-h', $node->host, '-p', $node->port, 'partner' ], 'four sessions write at random');

my $said = $node->safe_psql('partner', "SELECT string_agg(format('%s %s: %s', what, coalesce(state, 'done'), n), ', ' ORDER BY what, state) FROM (SELECT what, state, count(*) AS n FROM public.outcome GROUP BY 1, 2) AS s");
note($said);
is($node->safe_psql('partner', 'SELECT count(*) FROM public.held AS a JOIN public.held AS b USING (customer, territory, segment, product, duty, channel) WHERE a.responsibility_id < b.responsibility_id AND a.valid && b.valid'),
	0, 'never two accountable for one duty, channel, scope and instant');
is($node->safe_psql('partner', 'SELECT count(*) FROM crm.handover AS h JOIN crm.partner_responsibility AS o USING (responsibility_id) JOIN crm.partner_responsibility AS n ON n.responsibility_id = h.new_responsibility_id WHERE upper(o.valid) IS DISTINCT FROM lower(n.valid)'),
	0, 'no hand-over with a gap or an overlap, whatever was changed afterwards');
cmp_ok($node->safe_psql('partner', "SELECT count(*) FROM public.outcome WHERE what = 'insert' AND state = '23P01'"), '>', 20, 'many wanted what was taken');
cmp_ok($node->safe_psql('partner', "SELECT count(*) FROM public.outcome WHERE what = 'insert' AND state IS NULL"), '>', 20, 'and many did not');
unlike(slurp_file($node->logfile), qr/ 40P01 |deadlock detected/, 'nobody deadlocked');

# A hand-over alone: what is ended and what begins touch, as long as nobody changes either afterwards.
$node->safe_psql('partner', 'TRUNCATE crm.handover, crm.partner_responsibility CASCADE; TRUNCATE public.outcome');
$node->safe_psql('partner', "INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) SELECT 1, n, 'accountable: sell', '[2026-01-01,)' FROM generate_series(1, 4) AS n");
my $pass = "$dir/pass.sql";
append_to_file($pass, <<'SQL');
\set c random(1, 4)
SELECT public.pass_on(:c);
SQL
$node->safe_psql('partner', <<'SQL');
CREATE FUNCTION public.pass_on(c bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r crm.partner_responsibility;
    id bigint;
BEGIN
    SELECT * INTO r FROM crm.partner_responsibility WHERE customer_id = c AND upper_inf(valid);
    id := crm.offer_handover(r.responsibility_id, r.partner_id, r.partner_id % 5 + 1, '2999-01-01');
    PERFORM crm.accept_handover(id, r.partner_id % 5 + 1);
    INSERT INTO public.outcome VALUES ('passed', NULL);
EXCEPTION
    WHEN exclusion_violation OR check_violation OR unique_violation THEN INSERT INTO public.outcome VALUES ('pass', sqlstate);
END $$;
SQL
$node->command_ok([ 'pgbench', '-n', '-c', 4, '-j', 2, '-t', $transactions, '-f', $pass, '-h', $node->host, '-p', $node->port, 'partner' ], 'four sessions hand over');
cmp_ok($node->safe_psql('partner', "SELECT count(*) FROM public.outcome WHERE what = 'passed'"), '>=', $transactions, 'and most succeed');
is($node->safe_psql('partner', 'SELECT count(*) FROM crm.handover AS h JOIN crm.partner_responsibility AS o USING (responsibility_id) JOIN crm.partner_responsibility AS n ON n.responsibility_id = h.new_responsibility_id WHERE upper(o.valid) <> lower(n.valid)'),
	0, 'each hand-over without gap or overlap');
is($node->safe_psql('partner', q{SELECT string_agg(range_agg::text, ' ') FROM (SELECT range_agg(valid) FROM crm.partner_responsibility GROUP BY customer_id) AS s WHERE range_agg <> tstzmultirange(tstzrange('2026-01-01', NULL))}),
	'', 'each customer has had somebody all the time');

# The most specific scope, resolved by the extension, against a plain reading of the rule: customer, product depth, territory
# depth, segment depth, where the customer was in the segment then. Scopes of all kinds, customers who moved, contracts that begin and end.
$node->safe_psql('partner', <<SQL);
SELECT setseed(@{[ ($seed % 997) / 997 ]});
TRUNCATE crm.handover, crm.partner_responsibility CASCADE;
INSERT INTO crm.customer (customer_id, name) SELECT n, 'C' || n FROM generate_series(5, 60) AS n;
INSERT INTO crm.customer_territory SELECT n, public.some('eu', 'eu.de', 'eu.de.west', 'eu.fr', 'us')::ltree FROM generate_series(1, 60) AS n WHERE n % 7 > 0;
INSERT INTO crm.segment (segment_id, name, path) SELECT n, p, p::ltree FROM unnest('{business,business.large,business.large.listed,private,private.student}'::text[]) WITH ORDINALITY AS s (p, n);
INSERT INTO crm.segment_member (customer_id, segment_id, valid)
SELECT c, 1 + floor(random() * 5)::bigint, tstzrange('2026-01-01'::timestamptz + k * interval '100 days', CASE WHEN k < 2 THEN '2026-01-01'::timestamptz + (k + 1) * interval '100 days' - (c % 3) * interval '9 days' END)
FROM generate_series(1, 60) AS c, generate_series(0, 2) AS k WHERE (c + k) % 5 > 0;
DO \$\$ BEGIN FOR i IN 1 .. 400 LOOP
    BEGIN
        INSERT INTO crm.partner_responsibility (partner_id, customer_id, territory, segment, product, duty, valid)
        SELECT 1 + floor(random() * 5)::bigint, CASE WHEN s < 0.2 THEN 1 + floor(random() * 60)::bigint END, CASE WHEN s > 0.4 THEN public.some(NULL, 'eu', 'eu.de', 'eu.de.west', 'us')::ltree END,
               CASE WHEN s > 0.3 THEN public.some(NULL, 'business', 'business.large', 'business.large.listed', 'private', 'private.student')::ltree END,
               public.some(NULL, NULL, 'tools', 'tools.saws')::ltree, public.some_duty(), public.some_period()
        FROM (SELECT random() AS s OFFSET 0) AS d;
    EXCEPTION WHEN exclusion_violation THEN NULL;
    END;
END LOOP; END \$\$;
UPDATE crm.partner SET contract = tstzrange('2026-02-10', '2026-09-20') WHERE partner_id = 2;
UPDATE crm.partner SET contract = tstzrange(NULL, '2026-06-01') WHERE partner_id = 3;
CREATE TABLE public.question AS
SELECT c AS customer_id, d AS duty, p AS product, h::crm.channel AS channel, timestamptz '2026-01-15' + t * interval '67 days' AS at
FROM generate_series(1, 60) AS c, unnest('{sell,service,market}'::text[]) AS d, unnest('{NULL,tools,tools.saws.big}'::text[]) AS p, unnest('{phone,fax,letter}'::text[]) AS h, generate_series(0, 4) AS t;
CREATE TABLE public.expected AS
SELECT q.*, (SELECT r.partner_id FROM crm.partner_responsibility AS r
             LEFT JOIN crm.customer_territory AS t ON t.customer_id = q.customer_id
             LEFT JOIN LATERAL (SELECT s.path FROM crm.segment_member AS m JOIN crm.segment AS s USING (segment_id) WHERE m.customer_id = q.customer_id AND m.valid \@> q.at) AS g ON true
             WHERE r.valid \@> q.at AND (SELECT w.contract FROM crm.partner AS w WHERE w.partner_id = r.partner_id) \@> q.at AND r.duty::text LIKE 'accountable:%' AND split_part(r.duty::text, ' via ', 1) LIKE '%' || q.duty || '%'
               AND (r.duty::text NOT LIKE '% via %' OR split_part(r.duty::text, ' via ', 2) LIKE '%' || q.channel || '%')
               AND (r.customer_id IS NULL OR r.customer_id = q.customer_id)
               AND (r.territory IS NULL OR t.territory <\@ r.territory) AND (r.segment IS NULL OR g.path <\@ r.segment)
               AND (r.product IS NULL OR q.product::ltree <\@ r.product)
             ORDER BY r.customer_id IS NULL, coalesce(nlevel(r.product), 0) DESC, coalesce(nlevel(r.territory), 0) DESC, coalesce(nlevel(r.segment), 0) DESC LIMIT 1) AS partner_id
FROM public.question AS q;
SQL
is($node->safe_psql('partner', 'SELECT count(*) FROM public.expected WHERE partner_id IS DISTINCT FROM crm.responsible_partner(customer_id, duty, at, product::ltree, channel)'),
	0, 'the most specific scope wins, over 8,100 random questions');
cmp_ok($node->safe_psql('partner', 'SELECT count(DISTINCT partner_id) * 1000 + count(partner_id) FROM public.expected'), '>', 7000, 'and most have an answer');

# The index: random responsibilities, some deleted again, against random questions.
my $differ = $node->safe_psql('partner', <<SQL);
SELECT setseed(@{[ ($seed % 1000) / 1000 ]});
CREATE TABLE public.r AS
SELECT n, crm.responsibility(public.some('accountable', 'accountable', 'responsible', 'consulted', 'informed'),
       ARRAY(SELECT d FROM unnest('{acquire,advise,sell,deliver,service,collect,retain,market}'::text[]) AS d WHERE random() < 0.3 AND n > 0 UNION SELECT public.some('sell', 'market')),
       ARRAY(SELECT c FROM unnest(enum_range(NULL::crm.channel)) AS c WHERE random() < k AND n > 0)) AS duty
FROM (SELECT n, public.some('0', '0.1', '0.5')::float8 AS k FROM generate_series(1, 4000) AS n OFFSET 0) AS s;
CREATE TABLE public.q AS SELECT n, duty FROM public.r ORDER BY random() LIMIT 60;
CREATE INDEX r_duty ON public.r USING gist (duty);
DELETE FROM public.r WHERE n % 3 = 0;
INSERT INTO public.r SELECT n, duty FROM public.q, generate_series(1, 20);
CREATE VIEW public.answer AS
SELECT q.n, o, count(*) AS found, sum(r.n) AS which FROM public.q CROSS JOIN LATERAL (
    SELECT '&&' AS o, n FROM public.r WHERE r.duty OPERATOR(crm.&&) q.duty UNION ALL SELECT '\@>', n FROM public.r WHERE r.duty OPERATOR(crm.\@>) q.duty
    UNION ALL SELECT '<\@', n FROM public.r WHERE r.duty OPERATOR(crm.<\@) q.duty UNION ALL SELECT '=', n FROM public.r WHERE r.duty OPERATOR(crm.=) q.duty) AS r (o, n) GROUP BY 1, 2;
SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
CREATE TABLE public.by_scan AS SELECT * FROM public.answer;
RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_indexonlyscan; SET enable_seqscan = off;
CREATE TABLE public.by_index AS SELECT * FROM public.answer;
SELECT count(*) FROM ((TABLE public.by_scan EXCEPT TABLE public.by_index) UNION ALL (TABLE public.by_index EXCEPT TABLE public.by_scan)) AS d;
SQL
$differ =~ s/^\s+//;
is($differ, 0, 'the index answers what a scan answers, over 200,000 random pairs and four operators');
is($node->safe_psql('partner', 'SELECT count(DISTINCT o) FROM public.by_scan'), 4, 'every operator found something');

$node->stop;
done_testing();
