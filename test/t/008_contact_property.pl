# Whatever a client tries, in whatever way: no message is there that must not be. Random customers with random ledgers,
# blocks, caps, quiet hours and suppressed addresses; random statements that write, change, claim and begin messages; after
# each an oracle, written from the rules in plain SQL over the whole ledger, judges every message that is new or changed.
# What a plain INSERT is refused for, the oracle must refuse too.
#
# CRM_CONTACT_TRIES   how many statements (default 5000)
# CRM_SEED            repeats a run
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $tries = $ENV{CRM_CONTACT_TRIES} // 5000;
my $each = 500;						# tries in a world
my $customers = 30;
my $seed = seed();

my $node = new_server('contact');
$node->append_conf('postgresql.conf', "fsync = off\nsynchronous_commit = off\nautovacuum_naptime = 5s\n");
$node->restart;
new_database($node, 'contact');
$node->safe_psql('contact', <<'SQL');
CREATE TABLE public.suppressed (channel crm.channel, address text);
CREATE TABLE public.seen (message_id bigint PRIMARY KEY, status text, not_before timestamptz, contact_point_id bigint, consent_id bigint);
CREATE TABLE public.violation (try bigint, message_id bigint, what text, message text);
CREATE TABLE public.tally (what text PRIMARY KEY, n bigint NOT NULL);
CREATE TABLE public.purchase_order (order_id bigint PRIMARY KEY, customer_id bigint, channel crm.channel, purpose text, not_before timestamptz);

-- The oracle. May this contact point be used for the purpose at that time?
CREATE FUNCTION public.point_forbidden(the_customer bigint, the_channel crm.channel, the_point bigint, the_purpose text, due timestamptz) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    c crm.customer; p crm.contact_point; entry crm.consent; advertising boolean; need text; need_strength integer;
BEGIN
    SELECT * INTO c FROM crm.customer WHERE customer_id = the_customer;
    SELECT * INTO p FROM crm.contact_point WHERE contact_point_id = the_point;
    IF p IS NULL OR p.customer_id <> the_customer OR p.channel <> the_channel THEN RETURN 'message_contact_point'; END IF;
    IF p.blocked_at IS NOT NULL THEN RETURN 'message_blocked'; END IF;
    advertising := coalesce((SELECT is_advertising FROM crm.purpose WHERE purpose = the_purpose), true);
    IF advertising AND EXISTS (SELECT FROM public.suppressed AS s WHERE s.channel = the_channel AND s.address = p.address) THEN RETURN 'message_blocked'; END IF;
    -- An objection that nobody took back ends it.
    IF EXISTS (SELECT FROM crm.consent AS k WHERE k.customer_id = the_customer AND k.status = 'objected'
               AND coalesce(k.channel, the_channel) = the_channel AND (k.purpose = the_purpose OR k.purpose IS NULL AND advertising)
               AND coalesce(k.contact_point_id, the_point) = the_point
               AND NOT EXISTS (SELECT FROM crm.consent AS l WHERE l.lifts = k.consent_id)) THEN RETURN 'message_consent'; END IF;
    SELECT * INTO entry FROM crm.consent AS k WHERE k.customer_id = the_customer AND k.status <> 'objected'
        AND coalesce(k.channel, the_channel) = the_channel AND (k.purpose = the_purpose OR k.purpose IS NULL AND advertising)
        AND coalesce(k.contact_point_id, the_point) = the_point
    ORDER BY recorded_at DESC, consent_id DESC LIMIT 1;
    IF entry.consent_id IS NOT NULL AND entry.status <> 'granted' THEN RETURN 'message_consent'; END IF;
    IF NOT advertising THEN RETURN NULL; END IF;
    SELECT r.basis INTO need FROM crm.contact_rule AS r
    WHERE r.channel = the_channel AND coalesce(r.country, c.country) IS NOT DISTINCT FROM c.country AND coalesce(r.purpose, the_purpose) = the_purpose
      AND coalesce(r.audience, '') IN ('', CASE WHEN c.kind = 'organisation' THEN 'business' ELSE 'consumer' END)
    ORDER BY (r.purpose IS NOT NULL) DESC, (r.country IS NOT NULL) DESC, (r.audience IS NOT NULL) DESC LIMIT 1;
    IF need IS NULL THEN
        need := CASE WHEN (SELECT requires_consent FROM crm.channel_policy WHERE channel = the_channel) THEN 'consent' ELSE 'legitimate_interest' END;
    END IF;
    SELECT strength INTO need_strength FROM crm.legal_basis WHERE basis = need;
    IF entry.consent_id IS NULL THEN RETURN CASE WHEN need_strength > 10 THEN 'message_consent' END; END IF;
    IF entry.expires_at <= due OR (SELECT strength FROM crm.legal_basis WHERE basis = entry.basis) < need_strength THEN RETURN 'message_consent'; END IF;
    RETURN NULL;
END $$;

-- Is it a quiet time for the customer? Only holidays by date are used here.
CREATE FUNCTION public.is_quiet(the_customer bigint, the_channel crm.channel, the_purpose text, due timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT keeps_quiet FROM crm.purpose WHERE purpose = the_purpose), true) AND (
        EXISTS (SELECT FROM crm.channel_policy AS p WHERE p.channel = the_channel
                AND ((l.local::time >= p.quiet_from)::integer + (l.local::time < p.quiet_until)::integer + (p.quiet_from > p.quiet_until)::integer) = 2)
        OR EXISTS (SELECT FROM crm.quiet_rule AS q WHERE coalesce(q.channel, the_channel) = the_channel AND coalesce(q.country, l.country) IS NOT DISTINCT FROM l.country
                   AND l.local::time BETWEEN q.quiet_from AND q.quiet_until AND l.local::time <> q.quiet_until
                   AND (extract(isodow FROM l.local)::integer = ANY (q.weekdays)
                        OR q.on_holidays AND EXISTS (SELECT FROM crm.holiday AS h WHERE h.country = l.country AND h.day = l.local::date))))
    FROM (SELECT c.country, due AT TIME ZONE coalesce(c.time_zone, (SELECT z.time_zone FROM crm.country AS z WHERE z.country = c.country), 'UTC') AS local
          FROM crm.customer AS c WHERE c.customer_id = the_customer) AS l
$$;

-- Is there a window with this message in it that holds more than a cap allows? Messages that wait go at their time.
CREATE FUNCTION public.is_over(self bigint, with_waiting boolean) RETURNS boolean
LANGUAGE sql STABLE AS $$
    WITH contact AS (
        SELECT x.message_id, x.channel, coalesce(x.begun_at, greatest(x.not_before, now())) AS at
        FROM crm.message AS m JOIN crm.message AS x ON x.customer_id = m.customer_id
        WHERE m.message_id = self AND (x.begun_at IS NOT NULL OR with_waiting AND x.status IN ('ready', 'leased'))
          AND coalesce((SELECT is_capped FROM crm.purpose WHERE purpose = x.purpose), true)
        UNION ALL
        SELECT NULL, i.channel, i.occurred_at FROM crm.message AS m JOIN crm.interaction AS i ON i.customer_id = m.customer_id
        WHERE m.message_id = self AND i.direction = 'outbound' AND i.message_id IS NULL
    ), cap AS (
        SELECT channel, cap, cap_window FROM crm.channel_policy WHERE cap IS NOT NULL
        UNION ALL SELECT channel, cap, cap_window FROM crm.contact_cap
    )
    SELECT EXISTS (
        SELECT FROM contact AS me JOIN cap AS c ON coalesce(c.channel, me.channel) = me.channel
        JOIN contact AS last ON last.at >= me.at AND last.at < me.at + c.cap_window AND coalesce(c.channel, last.channel) = last.channel
        WHERE me.message_id = self
          AND (SELECT count(*) FROM contact AS x WHERE x.at > last.at - c.cap_window AND x.at <= last.at AND coalesce(c.channel, x.channel) = x.channel) > c.cap)
$$;

CREATE FUNCTION public.judge(the_try bigint) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
DECLARE
    m crm.message; s public.seen; begun boolean; due timestamptz; wrong text;
BEGIN
    FOR m IN SELECT x.* FROM crm.message AS x LEFT JOIN public.seen AS y USING (message_id)
             WHERE (x.status, x.not_before, x.contact_point_id, x.consent_id) IS DISTINCT FROM (y.status, y.not_before, y.contact_point_id, y.consent_id)
    LOOP
        SELECT * INTO s FROM public.seen WHERE message_id = m.message_id;
        begun := m.status NOT IN ('ready', 'leased', 'cancelled') AND s.status IN ('ready', 'leased') OR m.status NOT IN ('ready', 'leased', 'cancelled') AND s IS NULL;
        wrong := NULL;
        IF begun OR m.status IN ('ready', 'leased') AND (s.message_id IS NULL OR s.status IN ('failed', 'dead', 'unknown')
                OR m.contact_point_id IS DISTINCT FROM s.contact_point_id OR m.consent_id IS DISTINCT FROM s.consent_id
                -- What is refused may be put off, and when what is leased was due no longer matters.
                OR s.status = 'ready' AND (m.not_before < s.not_before OR m.not_before > s.not_before AND m.refusal IS NULL)) THEN
            due := CASE WHEN begun THEN m.begun_at ELSE greatest(m.not_before, now()) END;
            wrong := public.point_forbidden(m.customer_id, m.channel, m.contact_point_id, m.purpose, due);
            IF wrong IS NULL AND public.is_quiet(m.customer_id, m.channel, m.purpose, due) THEN wrong := 'message_quiet_hours'; END IF;
            IF wrong IS NULL AND coalesce((SELECT is_capped FROM crm.purpose WHERE purpose = m.purpose), true) AND public.is_over(m.message_id, NOT begun) THEN wrong := 'message_cap'; END IF;
            INSERT INTO public.tally VALUES (CASE WHEN begun THEN 'begun' ELSE 'written' END, 1) ON CONFLICT (what) DO UPDATE SET n = tally.n + 1;
            IF wrong IS NULL AND m.consent_id IS NOT NULL AND m.consent_id <> (SELECT k.consent_id FROM crm.consent AS k
                    WHERE k.customer_id = m.customer_id AND k.status = 'granted' AND coalesce(k.channel, m.channel) = m.channel AND k.purpose = m.purpose
                      AND coalesce(k.contact_point_id, m.contact_point_id) = m.contact_point_id ORDER BY recorded_at DESC, consent_id DESC LIMIT 1) THEN
                wrong := 'another consent';
            END IF;
        END IF;
        IF wrong IS NOT NULL THEN
            INSERT INTO public.violation VALUES (the_try, m.message_id, wrong, m::text);
        END IF;
        INSERT INTO public.seen VALUES (m.message_id, m.status, m.not_before, m.contact_point_id, m.consent_id)
        ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, not_before = excluded.not_before, contact_point_id = excluded.contact_point_id, consent_id = excluded.consent_id;
    END LOOP;
    -- A message never becomes another one.
    INSERT INTO public.violation SELECT the_try, z.message_id, 'gone', z::text FROM public.seen AS z
    WHERE NOT EXISTS (SELECT FROM crm.message AS x WHERE x.message_id = z.message_id) AND z.status IN ('leased', 'sending', 'unknown');
    DELETE FROM public.seen AS z WHERE NOT EXISTS (SELECT FROM crm.message AS x WHERE x.message_id = z.message_id);
END $$;

-- What the oracle says of a plain INSERT, and what came of it.
CREATE FUNCTION public.must(the_customer bigint, the_channel crm.channel, the_point bigint, the_purpose text, due timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT CASE WHEN public.is_quiet(the_customer, the_channel, the_purpose, due) THEN 'quiet' ELSE 'yes' END
                     FROM crm.contact_point AS p WHERE p.customer_id = the_customer AND p.channel = the_channel AND p.contact_point_id = coalesce(the_point, p.contact_point_id)
                       AND public.point_forbidden(the_customer, the_channel, p.contact_point_id, the_purpose, due) IS NULL LIMIT 1), 'no')
$$;
CREATE FUNCTION public.compare(the_try bigint, must text, state text, message text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.violation SELECT the_try, NULL, 'must ' || must || ', is ' || state, message
    WHERE NOT CASE must WHEN 'yes' THEN state = '00000' OR message LIKE '%the cap is reached'
                        WHEN 'quiet' THEN state = '23514' AND message LIKE '%quiet hours'
                        ELSE state = '23514' AND message NOT LIKE ALL ('{%the cap is reached,%quiet hours}') END;
    INSERT INTO public.tally VALUES ('plain ' || must, 1) ON CONFLICT (what) DO UPDATE SET n = tally.n + 1
$$;

-- A client's own trigger, at the very end of the transaction.
CREATE FUNCTION public.order_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crm.message (customer_id, channel, purpose, not_before) VALUES (new.customer_id, new.channel, new.purpose, new.not_before);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER order_message AFTER INSERT ON public.purchase_order DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.order_message();

-- A new world. Only a superuser can make one: the ledger is append-only.
CREATE PROCEDURE public.new_world(customers integer, seed double precision) LANGUAGE plpgsql AS $$
DECLARE
    here time := date_trunc('hour', now() AT TIME ZONE 'UTC')::time;
BEGIN
    PERFORM setseed(seed);
    TRUNCATE crm.interaction;
    SET LOCAL session_replication_role = replica;
    TRUNCATE crm.customer, crm.suppression, crm.contact_rule, crm.quiet_rule, crm.contact_cap, crm.holiday, crm.holiday_rule,
        public.suppressed, public.seen, public.purchase_order RESTART IDENTITY CASCADE;
    SET LOCAL session_replication_role = origin;
    INSERT INTO crm.contact_rule (country, channel, audience, purpose, basis)
    SELECT DISTINCT ON (country, channel, audience, purpose) * FROM (
        SELECT (ARRAY['DE', 'AT', NULL])[1 + floor(random() * 3 + n * 0)::integer] AS country, (ARRAY['email', 'phone', 'letter', 'sms'])[1 + floor(random() * 4)::integer]::crm.channel AS channel,
               (ARRAY['consumer', 'business', NULL])[1 + floor(random() * 3)::integer] AS audience, (ARRAY['marketing', 'survey', NULL, NULL])[1 + floor(random() * 4)::integer] AS purpose,
               (ARRAY['consent', 'existing_customer', 'presumed_consent', 'legitimate_interest', 'double_opt_in'])[1 + floor(random() * 5)::integer] AS basis
        FROM generate_series(1, 8) AS n) AS r;
    UPDATE crm.channel_policy SET requires_consent = random() < 0.6, cap = NULL, cap_window = NULL, quiet_from = NULL, quiet_until = NULL;
    UPDATE crm.channel_policy SET cap = floor(random() * 4), cap_window = (1 + floor(random() * 7)) * interval '1 day' WHERE random() < 0.5;
    -- Not on the hour, for a test that runs over it.
    UPDATE crm.channel_policy SET quiet_from = here + (floor(random() * 24) * interval '1 hour' + interval '30 minutes 30.5 seconds') , quiet_until = here + floor(random() * 24) * interval '1 hour' + interval '31 minutes 30.5 seconds' WHERE random() < 0.4;
    INSERT INTO crm.contact_cap (channel, cap, cap_window) SELECT NULL, 2 + floor(random() * 4), (1 + floor(random() * 9)) * interval '1 day' WHERE random() < 0.5;
    INSERT INTO crm.contact_cap (channel, cap, cap_window) SELECT 'email', 1 + floor(random() * 4), interval '1 day' WHERE random() < 0.5;
    INSERT INTO crm.quiet_rule (country, channel, weekdays, on_holidays, quiet_from, quiet_until)
    SELECT (ARRAY['DE', NULL])[1 + floor(random() * 2 + n * 0)::integer], (ARRAY['email', 'phone', NULL])[1 + floor(random() * 3)::integer]::crm.channel,
           ARRAY[1 + floor(random() * 7)::integer], random() < 0.5, make_time(floor(random() * 12)::integer, 30, 30.5), make_time(12 + floor(random() * 12)::integer, 30, 30.5)
    FROM generate_series(1, 2) AS n;
    INSERT INTO crm.holiday (country, day) SELECT 'DE', current_date + floor(random() * 14 + n * 0)::integer FROM generate_series(1, 2) AS n ON CONFLICT DO NOTHING;
    INSERT INTO crm.customer (customer_id, kind, name, country, time_zone)
    SELECT n, (ARRAY['person', 'organisation', 'household'])[1 + floor(random() * 3)::integer]::crm.customer_kind, 'C' || n,
           (ARRAY['DE', 'AT', 'JP', NULL])[1 + floor(random() * 4)::integer], (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', NULL])[1 + floor(random() * 4)::integer]
    FROM generate_series(1, customers) AS n;
    INSERT INTO crm.contact_point (customer_id, channel, address, is_primary)
    SELECT n, 'email'::crm.channel, 'c' || n || '.' || k || '@example.org', k = 1 AND random() < 0.5 FROM generate_series(1, customers) AS n, generate_series(1, 2) AS k WHERE random() < 0.7
    UNION ALL SELECT n, 'phone', '+49301' || 100000 + n, false FROM generate_series(1, customers) AS n WHERE random() < 0.8
    UNION ALL SELECT n, 'letter', 'Weg ' || n, false FROM generate_series(1, customers) AS n WHERE random() < 0.8
    UNION ALL SELECT n, 'sms', '+4917012' || 10000 + n, false FROM generate_series(1, customers) AS n WHERE random() < 0.4;
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA public TO crm_owner;
SQL

sub some { return $_[ int(rand(@_)) ] }
sub customer { return 1 + int(rand($customers)) }
sub channel { return some(qw(email email phone letter sms)) }
sub purpose { return some(qw(marketing marketing survey contract security our-own)) }
sub point { return rand() < 0.5 ? 'NULL' : sprintf("(SELECT contact_point_id FROM crm.contact_point WHERE customer_id = %d AND channel = '%s' ORDER BY random() LIMIT 1)", @_) }
sub due { return rand() < 0.4 ? 'now()' : sprintf("now() + interval '%d minutes'", rand(14 * 1440) - 1440) }
sub message
{
	my ($customer, $channel) = (customer(), channel());
	return sprintf("%d, '%s', '%s', %s, %s", $customer, $channel, purpose(), due(), rand() < 0.7 ? 'NULL' : point(rand() < 0.9 ? $customer : customer(), rand() < 0.9 ? $channel : channel()));
}
my $into = 'INSERT INTO crm.message (customer_id, channel, purpose, not_before, contact_point_id)';
sub of { my ($status, $limit) = @_; return sprintf("message_id IN (SELECT message_id FROM crm.message WHERE status IN (%s) ORDER BY hashint8extended(message_id, %d) LIMIT %d)", $status, rand(1e6), $limit // 1 + rand(3)) }
sub consent
{
	my $status = some(qw(granted granted granted granted granted withdrawn objected));
	return sprintf("(%d, %s, %s, '%s', '%s', 'seen', %s, now() - interval '%d hours')", customer(), rand() < 0.2 ? 'NULL' : "'email'",
		$status ne 'granted' && rand() < 0.3 ? 'NULL' : "'" . purpose() . "'", $status, some('consent', 'consent', 'existing_customer', 'double_opt_in', 'presumed_consent'),
		$status eq 'granted' && rand() < 0.3 ? sprintf("now() + interval '%d hours'", rand(200) - 50) : 'NULL', rand() < 0.7 ? 0 : rand(500));
}
my $ledger = 'INSERT INTO crm.consent (customer_id, channel, purpose, status, basis, evidence, expires_at, recorded_at) VALUES ';
my $key = 0;
sub keyed { return "'k" . int(rand(40)) . "'" }

# What a client tries.
my @attempts = (
	[ 20, 'plain' ],
	[ 6, sub { "$into VALUES " . join(', ', map { '(' . message() . ')' } 0 .. rand(5)) } ],
	[ 4, sub { sprintf("%s SELECT c.customer_id, '%s', '%s', %s, NULL FROM crm.customer AS c WHERE c.customer_id %% 7 = %d", $into, channel(), purpose(), due(), rand(7)) } ],
	[ 5, sub { sprintf("COPY crm.message (customer_id, channel, purpose, status, consent_id) FROM STDIN;\n%s\\.\n", join('', map { sprintf("%d\t%s\t%s\t%s\t%s\n", customer(), channel(), purpose(), some('ready', 'ready', 'ready', 'sending'), some('\N', 1 + int(rand(50)))) } 0 .. rand(2))) } ],
	[ 5, sub { sprintf("MERGE INTO crm.message AS m USING (VALUES (%s, %s)) AS e (customer_id, channel, purpose, not_before, contact_point_id, key) ON m.idempotency_key = e.key "
			. "WHEN MATCHED THEN UPDATE SET not_before = e.not_before, contact_point_id = e.contact_point_id::bigint, refusal = %s "
			. "WHEN NOT MATCHED THEN INSERT (customer_id, channel, purpose, not_before, contact_point_id, idempotency_key) VALUES (e.customer_id, e.channel::crm.channel, e.purpose, e.not_before, e.contact_point_id::bigint, e.key)",
			message(), keyed(), some('NULL', "'mine'")) } ],
	[ 5, sub { sprintf("INSERT INTO crm.message (customer_id, channel, purpose, not_before, contact_point_id, idempotency_key) VALUES (%s, %s) ON CONFLICT (idempotency_key) DO UPDATE SET %s",
			message(), keyed(), some('not_before = excluded.not_before', 'contact_point_id = excluded.contact_point_id', "purpose = 'contract'", 'customer_id = excluded.customer_id', "status = 'leased', leased_until = now() + interval '1 day'")) } ],
	[ 3, sub { my ($c, $h) = (customer(), channel()); sprintf("SELECT crm.queue_message(%d, '%s', '%s', not_before => %s, idempotency_key => %s, contact_point_id => %s)", $c, $h, purpose(), due(), some('NULL', keyed()), point($c, $h)) } ],
	[ 4, sub { sprintf("INSERT INTO public.purchase_order VALUES (%d, %d, '%s', '%s', %s)", ++$key, customer(), channel(), purpose(), due()) } ],
	[ 4, sub { my $c = customer(); sprintf("BEGIN; %s(%d, 'email', 'marketing', 'granted', 'consent', 'seen', NULL, now()); INSERT INTO public.purchase_order VALUES (%d, %d, 'email', 'marketing', %s); %s(%d, NULL, NULL, '%s', 'consent', 'seen', NULL, now()); COMMIT",
			$ledger, $c, ++$key, $c, due(), $ledger, $c, some('withdrawn', 'objected')) } ],
	[ 4, sub { my $c = customer(); sprintf("BEGIN; SAVEPOINT s; %s(%d, 'email', 'marketing', 'granted', 'consent', 'seen', NULL, now()); ROLLBACK TO s; %s VALUES (%d, 'email', 'marketing', %s, NULL); COMMIT", $ledger, $c, $into, $c, due()) } ],
	[ 4, sub { sprintf("DO \$\$ BEGIN BEGIN %s VALUES (%s); RAISE division_by_zero; EXCEPTION WHEN OTHERS THEN NULL; END; %s VALUES (%s); EXCEPTION WHEN check_violation THEN BEGIN %s VALUES (%s); EXCEPTION WHEN check_violation THEN NULL; END; END \$\$",
			$into, message(), $into, message(), $into, message()) } ],
	[ 3, sub { sprintf("WITH granted AS (%s(%d, 'email', 'marketing', '%s', 'consent', 'seen', NULL, now()) RETURNING customer_id) %s SELECT customer_id, 'email', 'marketing', %s, NULL FROM granted", $ledger, customer(), some('granted', 'objected'), $into, due()) } ],
	[ 4, sub { "UPDATE crm.message SET not_before = " . due() . ', refusal = ' . some('NULL', "'mine'") . ' WHERE ' . of("'ready', 'leased'") } ],
	[ 3, sub { my $c = customer(); "UPDATE crm.message SET contact_point_id = " . point($c, channel()) . some('', ", status = 'leased', leased_until = now() + interval '1 hour'") . ' WHERE ' . of("'ready', 'leased'") } ],
	[ 3, sub { 'UPDATE crm.message SET ' . some("purpose = 'contract'", 'consent_id = 1', "channel = 'letter'", 'customer_id = ' . customer(), 'begun_at = NULL', "begun_at = '2020-01-01'", "status = 'sent'", "token = 0", 'consent_id = NULL') . ' WHERE ' . of("'ready', 'leased', 'sending', 'sent'") } ],
	[ 4, sub { "UPDATE crm.message SET status = 'leased', leased_until = now() + interval '1 hour' WHERE " . of("'ready'") } ],
	[ 6, sub { "UPDATE crm.message SET status = 'sending' WHERE " . of("'leased'") } ],
	[ 6, sub { sprintf("SELECT crm.claim_messages(%s, %d)", some('NULL', "'{email}'", "'{email,email,letter}'"), 1 + rand(6)) } ],
	[ 6, sub { 'SELECT crm.begin_send(message_id, token) FROM crm.message WHERE ' . of("'leased'") } ],
	[ 3, sub { 'SELECT crm.complete_message(message_id, token) FROM crm.message WHERE ' . of("'sending'") } ],
	[ 6, sub { my $order = some('', ' ORDER BY message_id DESC'); "SELECT crm.begin_sends(array_agg(message_id$order), array_agg(token$order)) FROM crm.message WHERE " . of(some("'leased'", "'leased', 'ready'", "'leased', 'sending', 'sent'"), 12) . ' HAVING count(*) > 0' } ],
	[ 2, sub { 'SELECT crm.complete_messages(array_agg(message_id), array_agg(token)) FROM crm.message WHERE ' . of(some("'sending'", "'sending', 'leased'"), 12) . ' HAVING count(*) > 0' } ],
	[ 2, sub { 'SELECT crm.fail_message(message_id, token, \'no line\', ' . some('true', 'false') . ') FROM crm.message WHERE ' . of("'leased', 'sending'") } ],
	[ 2, sub { "UPDATE crm.message SET status = '" . some('failed', 'dead', 'unknown') . "' WHERE " . of("'sending'") } ],
	[ 4, sub { 'SELECT crm.requeue_message(message_id, ' . due() . ') FROM crm.message WHERE ' . of("'failed', 'dead', 'unknown'") } ],
	[ 2, sub { "UPDATE crm.message SET status = 'ready' WHERE " . of("'failed', 'dead', 'unknown', 'leased', 'sent', 'cancelled'") } ],
	[ 2, sub { 'DELETE FROM crm.message WHERE ' . of("'ready', 'leased', 'cancelled'") } ],
);
# What happens meanwhile.
my @events = (
	[ 12, sub { $ledger . join(', ', map { consent() } 0 .. rand(3)) } ],
	[ 1, sub { "SELECT crm.lift_objection(consent_id, 'letter') FROM crm.consent AS k WHERE status = 'objected' AND NOT EXISTS (SELECT FROM crm.consent AS l WHERE l.lifts = k.consent_id) ORDER BY random() LIMIT 1" } ],
	[ 2, sub { sprintf("UPDATE crm.contact_point SET blocked_at = %s WHERE customer_id = %d AND channel = '%s'", some('now()', 'NULL', 'NULL'), customer(), channel()) } ],
	[ 1, sub { sprintf("UPDATE crm.contact_point SET address = 'n%d\@example.org' WHERE contact_point_id = (SELECT contact_point_id FROM crm.contact_point WHERE channel = 'email' ORDER BY random() LIMIT 1)", ++$key) } ],
	[ 1, sub { sprintf("DELETE FROM crm.contact_point WHERE contact_point_id = (SELECT contact_point_id FROM crm.contact_point WHERE customer_id = %d ORDER BY random() LIMIT 1)", customer()) } ],
	[ 1, sub { sprintf("INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (%d, 'email', 'n%d\@example.org')", customer(), ++$key) } ],
	[ 2, sub { sprintf("INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (%d, '%s', '%s', '%s', now() - interval '%d hours')", customer(), channel(), some('inbound', 'outbound'), some('sent', 'reached', 'bounced', 'complained', 'unsubscribed'), rand(200)) } ],
	[ 1, sub { "WITH p AS (SELECT address FROM crm.contact_point WHERE channel = 'email' ORDER BY random() LIMIT 1), l AS (INSERT INTO public.suppressed SELECT 'email', address FROM p) SELECT crm.suppress('email', address) FROM p" } ],
	[ 1, sub { sprintf("UPDATE crm.customer SET %s WHERE customer_id = %d", some("country = 'DE'", 'country = NULL', "kind = 'organisation'", "time_zone = 'Asia/Tokyo'", 'time_zone = NULL'), customer()) } ],
	[ 1, sub { sprintf("UPDATE crm.channel_policy SET requires_consent = NOT requires_consent WHERE channel = '%s'", channel()) } ],
	[ 1, sub { sprintf("UPDATE crm.contact_rule SET basis = '%s' WHERE contact_rule_id = (SELECT contact_rule_id FROM crm.contact_rule ORDER BY random() LIMIT 1)", some('consent', 'legitimate_interest', 'existing_customer')) } ],
	[ 1, sub { sprintf("UPDATE crm.channel_policy SET cap = %d, cap_window = interval '%d days' WHERE channel = '%s'", rand(4), 1 + rand(6), channel()) } ],
);
sub chosen
{
	my $sum = 0;
	$sum += $_->[0] for @_;
	my $at = rand($sum);
	for (@_)
	{
		return $_->[1] if ($at -= $_->[0]) < 0;
	}
}

my ($done, %errors, @odd) = (0);
while ($done < $tries)
{
	my $script = "SET client_min_messages = error;\n\\set VERBOSITY verbose\nSET ROLE crm_owner;\n";
	for (1 .. ($each < $tries - $done ? $each : $tries - $done))
	{
		$done++;
		$script .= chosen(@events)->() . ";\nSELECT public.judge($done);\n" if rand() < 0.6;
		my $attempt = chosen(@attempts);
		if (ref $attempt)
		{
			# What fails within a transaction block ends it.
			my $statement = $attempt->();
			$script .= $statement . ($statement =~ /\n$/ ? '' : ";\n") . "ROLLBACK;\n";
		}
		else
		{
			my ($customer, $channel, $purpose, $due) = (customer(), channel(), purpose(), due());
			my $point = rand() < 0.7 ? 'NULL' : point(rand() < 0.9 ? $customer : customer(), $channel);
			$script .= "SELECT $point AS point \\gset\n\\if :{?point}\n\\else\n\\set point ''\n\\endif\n"
			  . "SELECT public.must($customer, '$channel', nullif(:'point', '')::bigint, '$purpose', greatest($due, now())) AS must \\gset\n"
			  . "$into VALUES ($customer, '$channel', '$purpose', $due, nullif(:'point', '')::bigint);\n"
			  . "SELECT public.compare($done, :'must', :'SQLSTATE', :'LAST_ERROR_MESSAGE');\n";
		}
		$script .= "SELECT public.judge($done);\n";
	}
	$node->safe_psql('contact', sprintf('SET client_min_messages = error; CALL public.new_world(%d, %.6f)', $customers, rand()));
	my (undef, undef, $err) = $node->psql('contact', "\\o /dev/null\n$script", on_error_stop => 0);
	for (split /\n/, $err)
	{
		# A psql that reads a script says where; the rest is what verbosity adds.
		next unless /(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)/;
		$errors{$1}++;
		push @odd, $_ unless $1 =~ /^(23514|23505|55000|21000|P0002|25P01)$/;
	}
}
note("$done tries; errors: " . join(', ', map { "$_ $errors{$_}" } sort keys %errors));
note($node->safe_psql('contact', "SELECT string_agg(format('%s %s', what, n), ', ' ORDER BY what) FROM public.tally"));
is(join("\n", @odd[ 0 .. ($#odd > 10 ? 10 : $#odd) ]), '', 'no other error than a refusal');
is($node->safe_psql('contact', "SELECT format('try %s, message %s: %s %s', try, message_id, what, message) FROM public.violation ORDER BY try LIMIT 10"), '', "of $done tries none left a message that must not be, or was refused without reason");
is($node->safe_psql('contact', "SELECT count(*) FROM public.tally WHERE what IN ('written', 'begun', 'plain yes', 'plain no', 'plain quiet') AND n > $done / 1000"), '5', 'many were written, begun and refused');
is($node->safe_psql('contact', 'SELECT string_agg(differing::text, \' \') FROM crm.verify() WHERE differing <> 0'), '', 'crm.verify() finds no difference');
$node->stop;
done_testing();
