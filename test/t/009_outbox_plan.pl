# With many messages waiting, nothing that a worker calls reads the whole outbox, whatever kind of plan is used.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $waiting = 120_000;
my $node = new_server('outbox_plan');
$node->append_conf('postgresql.conf', "fsync = off\nmax_wal_size = 2GB\n");
$node->restart;
new_database($node, 'plan');
# Past the triggers, which would ask for every single one: it is the reading that is tested.
$node->safe_psql('plan', <<SQL);
INSERT INTO crm.customer (name, country) SELECT 'C' || n, 'DE' FROM generate_series(1, 3000) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT customer_id, 'letter', 'Weg ' || customer_id FROM crm.customer;
UPDATE crm.channel_policy SET cap = NULL, cap_window = NULL;
SET session_replication_role = replica;
INSERT INTO crm.message (customer_id, channel, contact_point_id, purpose, priority, not_before)
SELECT p.customer_id, p.channel, p.contact_point_id, 'marketing', 1 + n % 9, now() - n * interval '1 second'
FROM generate_series(1, $waiting / 3000) AS n, crm.contact_point AS p;
VACUUM ANALYZE;
SQL

my @calls = (
	[ 'a claim', "SELECT count(*) FROM crm.claim_messages('{letter}', 10)" ],
	[ 'a claim of many', "SELECT count(*) FROM crm.claim_messages(NULL, 1000)" ],
	[ 'the end of leases', 'SELECT crm.expire_leases()' ],
	[ 'begin', "SELECT crm.begin_send(message_id, token) FROM crm.claim_messages('{letter}', 1)" ],
	[ 'begin and complete', "WITH c AS MATERIALIZED (SELECT message_id, token, crm.begin_send(message_id, token) FROM crm.claim_messages('{letter}', 1)) SELECT crm.complete_message(message_id, token) FROM c" ],
	[ 'failure', "SELECT crm.fail_message(message_id, token, 'no paper') FROM crm.claim_messages('{letter}', 1)" ],
	[ 'writing', "SELECT crm.queue_message(5, 'letter', 'marketing', idempotency_key => 'k')" ],
	[ 'the options', "SELECT count(*) FROM crm.contact_options('{1,2,3}')" ],
	[ 'a withdrawal', "INSERT INTO crm.consent (customer_id, status) VALUES (7, 'objected')" ],
	[ 'the end of a contact point', 'DELETE FROM crm.contact_point WHERE customer_id = 9' ],
);
for my $mode ('auto', 'force_generic_plan')
{
	for (@calls)
	{
		my ($what, $sql) = @$_;
		my $before = -s $node->logfile;
		# Six times: only then has the plan cache chosen.
		$node->safe_psql('plan', "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; "
			  . "SET plan_cache_mode = $mode; " . ($sql =~ /^SELECT/ ? "$sql; " x 6 : $sql));
		my $log = slurp_file($node->logfile, $before);
		my @scans = $log =~ /(Seq Scan on (?:crm\.)?message\b.*)/g;
		is(join("\n", @scans), '', "$mode: $what reads the outbox by its indexes");
		like($log, qr/Index (?:Only )?Scan.* on (?:crm\.)?message\b|Bitmap Heap Scan on (?:crm\.)?message\b/, "$mode: $what does read it") if $what =~ /claim|begin|withdrawal/;
	}
}
# Statistics of a quiet hour say that nothing is leased and nothing a problem: an index of those few must not be taken for a short
# cut to one message, for at another hour it is long.
my @ones = (
	[ 'begin', 'SELECT crm.begin_send(%d, 1)' ],
	[ 'begin of a batch', "SELECT * FROM crm.begin_sends('{%d}', '{1}')" ],
	[ 'complete', 'SELECT crm.complete_message(%d, 1)' ],
	[ 'complete of a batch', "SELECT * FROM crm.complete_messages('{%d}', '{1}')" ],
	[ 'failure', "SELECT crm.fail_message(%d, 1, 'no paper', false)" ],
	[ 'a longer lease', 'SELECT crm.extend_lease(%d, 1)' ],
	[ 'cancelling', 'SELECT crm.cancel_message(%d)' ],
	[ 'queueing again', 'SELECT crm.requeue_message(%d)' ],
);
$node->safe_psql('plan', "SELECT count(*) FROM crm.claim_messages('{letter}', 200, '1 hour')");
my @leased = split /\n/, $node->safe_psql('plan', "SELECT message_id FROM crm.message WHERE status = 'leased' AND token = 1");
for (@ones)
{
	my ($what, $sql) = @$_;
	my $id = shift @leased;
	$node->safe_psql('plan', "SELECT crm.begin_send($id, 1)") unless $what =~ /begin|cancel/;
	$node->safe_psql('plan', "SELECT crm.fail_message($id, 1, 'no paper', false)") if $what =~ /again/;
	my $before = -s $node->logfile;
	$node->safe_psql('plan', "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; " . sprintf($sql, $id));
	my @others = slurp_file($node->logfile, $before) =~ /(Scan using message_(?:lease_index|problem|ready) .*|Scan on message_(?:lease_index|problem|ready)\b.*)/g;
	is(join("\n", @others), '', "$what finds its message by the key");
}
is($node->safe_psql('plan', "SELECT count(*) FROM crm.message WHERE customer_id = 7 AND status IN ('ready', 'leased')"), '0', 'the objection cancelled what waited');
$node->stop;
done_testing();
