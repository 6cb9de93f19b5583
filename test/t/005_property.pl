# Whatever is done to the facts, in whatever order: what is derived equals what an independent computation in plain SQL
# makes of the facts that are there. Random operations, one session, checked every so often.
#
# CRM_PROPERTY_OPERATIONS   how many (default 12000)
# CRM_SEED                  repeats a run
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $operations = $ENV{CRM_PROPERTY_OPERATIONS} // 12000;
my $every = 150;
my $customers = 40;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $seed = seed();

my $node = new_server('property');
new_database($node, 'property');
$node->safe_psql('property', <<SQL);
INSERT INTO crm.customer (name) SELECT 'C' || n FROM generate_series(1, $customers) AS n;
-- What must be, said once more without any function of crm: decayed sums by powers of two, days by casts.
CREATE VIEW public.channel_must AS
SELECT i.customer_id, i.channel, count(*) AS interactions,
       sum(e.success * 2 ^ -(extract(epoch FROM timestamptz '2026-01-01 UTC' - i.occurred_at) / extract(epoch FROM p.half_life))::float8) AS successes,
       sum(e.failure * 2 ^ -(extract(epoch FROM timestamptz '2026-01-01 UTC' - i.occurred_at) / extract(epoch FROM p.half_life))::float8) AS failures,
       count(*) AS observations,
       max(i.occurred_at) FILTER (WHERE i.direction = 'outbound') AS last_outbound_at,
       max(i.occurred_at) FILTER (WHERE i.direction = 'inbound') AS last_inbound_at
FROM crm.interaction AS i JOIN crm.outcome_effect AS e USING (direction, outcome) JOIN crm.channel_policy AS p USING (channel)
WHERE i.analysed_at IS NOT NULL GROUP BY i.customer_id, i.channel;
CREATE VIEW public.history_must AS
WITH day AS (
    SELECT customer_id, currency, (purchased_at AT TIME ZONE 'UTC')::date AS day, sum(amount) AS amount,
           min(purchased_at) AS first, max(purchased_at) AS last
    FROM crm.purchase WHERE analysed_at IS NOT NULL GROUP BY 1, 2, 3
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY customer_id, currency ORDER BY day) AS n FROM day
)
SELECT customer_id, currency, count(*) - 1 AS x, (max(day) - min(day)) / 7.0 AS t_x, min(first) AS first, max(last) AS last,
       avg(amount) FILTER (WHERE n > 1) AS mean_spend
FROM ranked GROUP BY customer_id, currency;
CREATE VIEW public.difference AS
SELECT format('channel %s %s: is %s %s %s %s %s, must %s', coalesce(t.customer_id, m.customer_id), coalesce(t.channel, m.channel), t.interactions,
              crm.successes(t.score, '2026-01-01 UTC'), crm.failures(t.score, '2026-01-01 UTC'), t.last_outbound_at, t.last_inbound_at, m) AS difference
FROM crm.customer_channel AS t FULL JOIN public.channel_must AS m ON m.customer_id = t.customer_id AND m.channel = t.channel
WHERE (t.interactions = m.interactions
       AND abs(crm.successes(t.score, '2026-01-01 UTC') - m.successes) <= 1e-6 * (1e-6 + m.successes)
       AND abs(crm.failures(t.score, '2026-01-01 UTC') - m.failures) <= 1e-6 * (1e-6 + m.failures)
       AND crm.observations(t.score) <= m.observations
       AND t.last_outbound_at IS NOT DISTINCT FROM m.last_outbound_at
       AND t.last_inbound_at IS NOT DISTINCT FROM m.last_inbound_at) IS NOT TRUE
UNION ALL
SELECT format('history %s %s: is %s, must %s', coalesce(t.customer_id, m.customer_id), coalesce(t.currency, m.currency), t.history, m)
FROM crm.customer_history AS t FULL JOIN public.history_must AS m ON m.customer_id = t.customer_id AND m.currency = t.currency
WHERE (crm.x(t.history) = m.x AND abs(crm.t_x(t.history, '7 days') - m.t_x) < 1e-9
       AND crm.first_purchase(t.history) = m.first AND crm.last_purchase(t.history) = m.last
       AND abs(coalesce(crm.mean_spend(t.history), 0) - coalesce(m.mean_spend, 0)) <= 1e-9 * (1 + coalesce(m.mean_spend, 0))) IS NOT TRUE
UNION ALL
SELECT format('verify %s %s', relation, differing) FROM crm.verify() WHERE differing <> 0
UNION ALL
SELECT format('lifecycle %s', customer_id) FROM crm.customer AS c
WHERE lifecycle IN ('prospect', 'lead') AND EXISTS (SELECT FROM crm.purchase AS p WHERE p.customer_id = c.customer_id AND p.analysed_at IS NOT NULL);
GRANT SELECT ON public.difference TO crm_owner;
SQL

sub some { return $_[ int(rand(@_)) ] }
sub customer { return 1 + int(rand($customers)) }
sub channel { return some(qw(phone email letter web)) }
sub direction { return some(qw(inbound outbound)) }
sub outcome { return some(qw(sent sent delivered opened clicked replied reached converted declined callback unreached unanswered bounced unsubscribed complained)) }
sub currency { return some(qw(EUR EUR USD)) }
sub when_ { return sprintf("2021-01-01 00:00:00+00'::timestamptz + interval '%d hours %d microseconds", rand(30000), rand(1e6)) }
# Some rows, by chance; the whole of a customer at times.
sub rows_of
{
	my ($table) = @_;
	return 'customer_id = ' . customer() if rand() < 0.1;
	return sprintf("${table}_id IN (SELECT ${table}_id FROM crm.$table ORDER BY hashint8extended(${table}_id, %d) LIMIT %d)", rand(1e6), 1 + rand(4));
}

sub interaction { return sprintf("(%d, '%s', '%s', '%s', '%s')", customer(), channel(), direction(), outcome(), when_()) }
sub purchase { return sprintf("(%d, '%s', %.2f, '%s')", customer(), when_(), rand(300), currency()) }
my $into_interaction = 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES ';
my $into_purchase = 'INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency) VALUES ';
sub reported
{
	my %keys = map { 'r' . int(rand(60)) => 1 } 0 .. rand(4);
	return map { sprintf("(%d, '%s', '%s', '%s', '%s', 'report', '%s')", customer(), channel(), direction(), outcome(), when_(), $_) } sort keys %keys;
}

# Weight, and what makes a statement.
my @kinds = (
	[ 10, sub { $into_interaction . interaction() } ],
	[ 8, sub { $into_interaction . join(', ', map { interaction() } 0 .. rand(6)) } ],
	[ 8, sub { $into_purchase . purchase() } ],
	[ 6, sub { $into_purchase . join(', ', map { purchase() } 0 .. rand(6)) } ],
	[ 3, sub { sprintf("INSERT INTO crm.purchase (customer_id, purchased_at, amount) SELECT %d, max(purchased_at) + interval '1 hour', 5 FROM crm.purchase HAVING max(purchased_at) < '2025-06-01'", customer()) } ],
	[ 3, sub { "COPY crm.interaction (customer_id, channel, direction, outcome, occurred_at) FROM STDIN;\n"
			  . join('', map { sprintf("%d\t%s\t%s\t%s\t2022-%02d-%02d 10:00:00+00\n", customer(), channel(), direction(), outcome(), 1 + rand(12), 1 + rand(28)) } 0 .. rand(5)) . "\\." } ],
	[ 3, sub { "COPY crm.purchase (customer_id, purchased_at, amount, currency) FROM STDIN;\n"
			  . join('', map { sprintf("%d\t2023-%02d-%02d 10:00:00+00\t%.2f\t%s\n", customer(), 1 + rand(12), 1 + rand(28), rand(100), currency()) } 0 .. rand(5)) . "\\." } ],
	[ 5, sub { 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, source, external_id) VALUES ' . join(', ', reported())
			  . ' ON CONFLICT (source, external_id) DO UPDATE SET ' . some('outcome = excluded.outcome', 'customer_id = excluded.customer_id, channel = excluded.channel', 'occurred_at = excluded.occurred_at') } ],
	[ 2, sub { 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, source, external_id) VALUES ' . join(', ', reported()) . ' ON CONFLICT DO NOTHING' } ],
	[ 4, sub { 'MERGE INTO crm.interaction AS i USING (VALUES ' . join(', ', reported()) . ') AS e (customer_id, channel, direction, outcome, occurred_at, source, external_id) '
			  . 'ON i.source = e.source AND i.external_id = e.external_id '
			  . "WHEN MATCHED AND i.channel = 'web' THEN DELETE WHEN MATCHED THEN UPDATE SET channel = e.channel::crm.channel, outcome = e.outcome::crm.outcome "
			  . 'WHEN NOT MATCHED THEN INSERT (customer_id, channel, direction, outcome, occurred_at, source, external_id) '
			  . 'VALUES (e.customer_id, e.channel::crm.channel, e.direction::crm.direction, e.outcome::crm.outcome, e.occurred_at, e.source, e.external_id)' } ],
	[ 4, sub { sprintf("UPDATE crm.interaction SET outcome = '%s' WHERE %s", outcome(), rows_of('interaction')) } ],
	[ 3, sub { sprintf("UPDATE crm.interaction SET channel = '%s' WHERE %s", channel(), rows_of('interaction')) } ],
	[ 3, sub { sprintf("UPDATE crm.interaction SET customer_id = %d WHERE %s", customer(), rows_of('interaction')) } ],
	[ 3, sub { sprintf("UPDATE crm.interaction SET occurred_at = '%s', direction = '%s' WHERE %s", when_(), direction(), rows_of('interaction')) } ],
	[ 2, sub { sprintf("UPDATE crm.interaction SET subject = 'changed', analysed_at = '1999-01-01' WHERE %s", rows_of('interaction')) } ],
	[ 1, sub { sprintf("UPDATE crm.interaction SET interaction_id = interaction_id + 10000000, customer_id = %d WHERE %s", customer(), rows_of('interaction')) } ],
	[ 1, sub { "UPDATE crm.interaction SET analysed_at = NULL WHERE " . rows_of('interaction') } ],
	[ 5, sub { 'DELETE FROM crm.interaction WHERE ' . rows_of('interaction') } ],
	[ 3, sub { sprintf("UPDATE crm.purchase SET amount = %.2f WHERE %s", rand(300), rows_of('purchase')) } ],
	[ 2, sub { sprintf("UPDATE crm.purchase SET purchased_at = '%s' WHERE %s", when_(), rows_of('purchase')) } ],
	[ 2, sub { sprintf("UPDATE crm.purchase SET customer_id = %d, currency = '%s' WHERE %s", customer(), currency(), rows_of('purchase')) } ],
	[ 4, sub { 'DELETE FROM crm.purchase WHERE ' . rows_of('purchase') } ],
	# Deleted and stored again in one statement.
	[ 2, sub { 'WITH moved AS (DELETE FROM crm.interaction WHERE ' . rows_of('interaction') . " RETURNING *) INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) "
			  . sprintf("SELECT %d, channel, direction, outcome, occurred_at FROM moved", customer()) } ],
	# A statement of which one row is refused is refused whole.
	[ 2, sub { $into_interaction . join(', ', map { interaction() } 0 .. rand(3)) . ", (1, 'phone', 'outbound', 'sent', now() + interval '1 day')" } ],
	[ 1, sub { $into_purchase . purchase() . ", (1, '2022-01-01', -1, 'EUR')" } ],
	[ 2, sub { sprintf("SELECT NULL FROM crm.close_windows('%s') AS n WHERE n < 0", when_()) } ],
	[ 1, sub { sprintf('CALL crm.analyse(%s)', some('NULL', int(rand(30)))) } ],
	[ 0.3, sub { sprintf("UPDATE crm.channel_policy SET half_life = '%d days' WHERE channel = '%s'", 100 + rand(900), channel()) } ],
	[ 0.2, sub { sprintf("UPDATE crm.outcome_effect SET success = %.3f WHERE outcome = '%s'", rand(2), outcome()) } ],
	[ 0.03, sub { 'TRUNCATE crm.interaction' } ],
	[ 0.03, sub { 'TRUNCATE crm.purchase' } ],
	[ 0.05, sub { "ALTER TABLE crm.consent DISABLE TRIGGER consent_truncate;\nTRUNCATE crm.customer CASCADE;\nALTER TABLE crm.consent ENABLE TRIGGER consent_truncate;\n" . 'INSERT INTO crm.customer (customer_id, name) SELECT n, n FROM generate_series(1, ' . $customers . ') AS n' } ],
);
my $weight = 0;
$weight += $_->[0] for @kinds;

sub operation
{
	my $at = rand($weight);
	for (@kinds)
	{
		next if ($at -= $_->[0]) >= 0;
		my $sql = $_->[1]->();
		return $sql =~ /^COPY/ ? "$sql\n" : "$sql;\n";
	}
	return operation();
}

# Several in a transaction, kept, rolled back, or rolled back in part; a savepoint before each, so that refused ones don't
# end it.
sub transaction
{
	my $sql = "BEGIN;\n";
	for (0 .. rand(5))
	{
		my $undo = rand() < 0.3;
		$sql .= "SAVEPOINT s;\n" if $undo;
		$sql .= operation();
		$sql .= "ROLLBACK TO s;\n" if $undo;
		$sql .= "RELEASE s;\n" if $undo;
	}
	return $sql . some('COMMIT', 'COMMIT', 'ROLLBACK') . ";\n";
}

my $script = '\set ON_ERROR_ROLLBACK on' . "\nSET client_min_messages = error;\nSET timezone = 'America/St_Johns';\n";
my ($done, $checked) = (0, 0);
while ($done < $operations)
{
	my $sql = rand() < 0.15 ? transaction() : operation();
	my $deferred = rand() < 0.12;
	$sql = "SET crm.loop = deferred;\n${sql}RESET crm.loop;\n" if $deferred;
	my $before = int($done / $every);
	$done += () = $sql =~ /^(INSERT|COPY|MERGE|UPDATE|DELETE|WITH|SELECT NULL|CALL|TRUNCATE)/mg;
	$script .= "\\echo = $done\n$sql" if $ENV{CRM_PROPERTY_TRACE};
	$script .= $sql unless $ENV{CRM_PROPERTY_TRACE};
	if (int($done / $every) > $before)
	{
		# Both speeds end in the same state: at times with rows that wait, at times without.
		$script .= "CALL crm.analyse();\n" if rand() < 0.5;
		$script .= "SELECT 'after $done: ' || difference FROM public.difference LIMIT 5;\nSELECT 'checked';\n";
		$checked++;
	}
}
append_to_file("$dir/script.sql", $script);

my ($out, $err) = ('', '');
IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-h', $node->host, '-p', $node->port, '-U', 'crm_owner', '-d', 'property', '-f', "$dir/script.sql" ],
	'>', \$out, '2>', \$err);
my @lines = split /\n/, $out;
my @differences = grep { $_ ne 'checked' && !/^= / } @lines;
is(scalar(grep { $_ eq 'checked' } @lines), $checked, "$done operations, checked $checked times");
is(join("\n", @differences[ 0 .. ($#differences > 5 ? 5 : $#differences) ]), '', "derived equals facts (CRM_SEED=$seed)");
my @errors = grep { /ERROR|FATAL/ && !/must not be in the future|purchase_amount/ } split /\n/, $err;
is(join("\n", @errors[ 0 .. ($#errors > 5 ? 5 : $#errors) ]), '', 'only what must be refused was refused');
cmp_ok(scalar(() = $err =~ /must not be in the future|purchase_amount/g), '>', 0, 'that was');
cmp_ok($node->safe_psql('property', 'SELECT count(*) FROM crm.customer_channel'), '>', 0, 'there is something derived at the end');

# And what crm.rebuild() says: nothing to repair.
$node->safe_psql('property', 'CALL crm.analyse()');
is($node->safe_psql('property', 'SELECT sum(repaired) FROM crm.rebuild()'), '0', 'crm.rebuild() finds nothing to repair');
# That verify() and rebuild() would: rows spoiled behind the loop's back are found and mended.
$node->safe_psql('property', <<'SQL');
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (1, '2024-01-01', 1), (2, '2024-01-01', 1);
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (1, 'sms', 'inbound', 'replied', '2024-01-01'), (2, 'sms', 'inbound', 'replied', '2024-01-01');
UPDATE crm.customer_channel SET interactions = interactions + 1 WHERE customer_id = 1 AND channel = 'sms';
DELETE FROM crm.customer_channel WHERE customer_id = 2 AND channel = 'sms';
DELETE FROM crm.customer_history WHERE customer_id = 1 AND currency = 'EUR';
SQL
is($node->safe_psql('property', 'SELECT relation, differing FROM crm.verify() ORDER BY 1'), "customer_channel|2\ncustomer_history|1", 'crm.verify() finds what was spoiled');
is($node->safe_psql('property', 'SELECT relation, repaired FROM crm.rebuild() ORDER BY 1'), "customer_channel|2\ncustomer_history|1", 'crm.rebuild() repairs it');
is_clean($node, 'property', 'after crm.rebuild()');

$node->stop;
done_testing();
