# Clients write mixed statements over few customers; in the middle of it the server is killed. Afterwards everything that
# was acknowledged is there, everything derived is what the facts say, and at no time did anybody deadlock or read a
# state in which the two differed.
#
# CRM_CRASH_ROUNDS   how many times (default 5)
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use CrmTest;

my $rounds = $ENV{CRM_CRASH_ROUNDS} // 5;
my $clients = 8;
my $customers = 100;
my $dir = PostgreSQL::Test::Utils::tempdir();
seed();

my $node = new_server('crash');
# A broken session must not bring the server back by itself: the test does.
$node->append_conf('postgresql.conf', "restart_after_crash = off\ncheckpoint_timeout = 30s\nmax_wal_size = 64MB\n");
$node->restart;
new_database($node, 'hot');
$node->safe_psql('hot', "INSERT INTO crm.customer (name) SELECT 'Hot ' || n FROM generate_series(1, $customers) AS n",
	extra_params => [ '-U', 'crm_owner' ]);

sub some { return $_[ int(rand(@_)) ] }
sub customer { return 1 + int(rand($customers)) }
sub channel { return some(qw(phone email letter chat)) }
sub outcome { return some(qw(sent delivered opened replied reached unreached bounced declined)) }
sub day { return sprintf("timestamptz '2024-01-01 UTC' + %d * interval '1 hour'", rand(10000)) }

sub interaction_values
{
	my ($agent, $subject) = @_;
	return sprintf("(%d, '%s', '%s', '%s', %s, '%s', '%s')",
		customer(), channel(), some('inbound', 'outbound'), outcome(), day(), $agent, $subject);
}

sub purchase_values
{
	my ($agent, $product) = @_;
	return sprintf("(%d, %s, %.2f, '%s', '%s', '%s')", customer(), day(), rand(500), some('EUR', 'USD'), $product, $agent);
}

# One statement. Lines that begin with a letter and a number are acknowledgements: + stored, - deleted.
# "keep" rows are changed but never deleted; a client changes and deletes its own rows only, but everybody the same
# customers' derived rows.
sub statement
{
	my ($me) = @_;
	my $interaction = 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, agent, subject) VALUES ';
	my $purchase = 'INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency, product, source) VALUES ';
	my $kind = rand(100);
	my $many = 1 + int(rand(4));

	return $interaction . join(', ', map { interaction_values($me, 'keep') } 1 .. $many) . " RETURNING '+i ' || interaction_id;"
	  if $kind < 25;
	return $interaction . join(', ', map { interaction_values($me, 'drop') } 1 .. $many) . ';' if $kind < 35;
	return $purchase . join(', ', map { purchase_values($me, 'keep') } 1 .. $many) . " RETURNING '+p ' || purchase_id;"
	  if $kind < 50;
	return $purchase . join(', ', map { purchase_values($me, 'drop') } 1 .. $many) . ';' if $kind < 55;
	return sprintf("UPDATE crm.interaction SET outcome = '%s', channel = '%s', customer_id = %d, occurred_at = %s WHERE interaction_id IN "
		  . "(SELECT interaction_id FROM crm.interaction WHERE agent = '%s' ORDER BY md5(interaction_id::text || %d) LIMIT 3);",
		outcome(), channel(), customer(), day(), $me, rand(1000)) if $kind < 65;
	return sprintf("UPDATE crm.purchase SET amount = %.2f, customer_id = %d WHERE purchase_id IN "
		  . "(SELECT purchase_id FROM crm.purchase WHERE source = '%s' ORDER BY md5(purchase_id::text || %d) LIMIT 3);",
		rand(500), customer(), $me, rand(1000)) if $kind < 70;
	return "DELETE FROM crm.interaction WHERE interaction_id IN (SELECT interaction_id FROM crm.interaction "
	  . "WHERE agent = '$me' AND subject = 'drop' ORDER BY 1 LIMIT $many) RETURNING '-i ' || interaction_id;" if $kind < 78;
	return "DELETE FROM crm.purchase WHERE purchase_id IN (SELECT purchase_id FROM crm.purchase "
	  . "WHERE source = '$me' AND product = 'drop' ORDER BY 1 LIMIT $many) RETURNING '-p ' || purchase_id;" if $kind < 82;
	# The same events reported by everybody, in the order of their keys.
	if ($kind < 88)
	{
		my %keys = map { 1 + int(rand(40)) => 1 } 1 .. $many;
		return 'INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, source, external_id) VALUES '
		  . join(', ', map { sprintf("(%d, '%s', 'outbound', '%s', %s, 'shared', '%03d')", customer(), channel(), outcome(), day(), $_) }
			  sort { $a <=> $b } keys %keys)
		  . ' ON CONFLICT (source, external_id) DO UPDATE SET outcome = excluded.outcome, channel = excluded.channel;';
	}
	return sprintf("MERGE INTO crm.interaction AS i USING (VALUES ('%s %d'), ('%s %d')) AS e (external_id) "
		  . "ON i.source = 'merge' AND i.external_id = e.external_id "
		  . "WHEN MATCHED AND i.outcome = 'sent' THEN DELETE WHEN MATCHED THEN UPDATE SET outcome = '%s' "
		  . "WHEN NOT MATCHED THEN INSERT (customer_id, channel, direction, outcome, occurred_at, source, external_id) "
		  . "VALUES (%d, '%s', 'outbound', '%s', %s, 'merge', e.external_id);",
		$me, rand(10), $me, 10 + rand(10), outcome(), customer(), channel(), outcome(), day()) if $kind < 93;
	return "SET crm.loop = deferred; $interaction" . interaction_values($me, 'keep')
	  . " RETURNING '+i ' || interaction_id; RESET crm.loop;" if $kind < 97;
	return 'CALL crm.analyse(20);' if $kind < 99;
	return "SELECT 'closed' FROM crm.close_windows('2024-06-01') AS n WHERE n < 0;";
}

# A reader: the state that anybody sees is never in between.
my $reading = "SELECT 'seen differing: ' || relation || ' ' || differing FROM crm.verify() WHERE differing <> 0;\n" x 2000;

my (%kept, %gone, @errors, %done);
my $acknowledged = 0;

for my $round (1 .. $rounds)
{
	my @runs;
	for my $client (0 .. $clients)
	{
		my $script = "$dir/script.$client";
		unlink $script;
		append_to_file($script, "SET client_min_messages = error;\n"
			  . ($client == 0 ? $reading : join("\n", map { statement("c$client") } 1 .. 6000)));
		my %run = (out => '', err => '');
		$run{harness} = IPC::Run::start(
			[ 'psql', '-X', '-q', '-A', '-t', '-h', $node->host, '-p', $node->port, '-U', 'crm_owner', '-d', 'hot', '-f', $script ],
			'>', \$run{out}, '2>', \$run{err});
		push @runs, \%run;
	}
	my $until = Time::HiRes::time() + 1.5 + rand(1.5);
	while (Time::HiRes::time() < $until)
	{
		$_->{harness}->pump_nb for @runs;
		usleep(20_000);
	}
	$node->kill9;
	eval { $_->{harness}->finish } for @runs;

	for my $run (@runs)
	{
		for (split /\n/, $run->{out})
		{
			if (/^\+([ip]) (\d+)$/) { $kept{$1}{$2} = 1; $acknowledged++ }
			elsif (/^-([ip]) (\d+)$/) { $gone{$1}{$2} = 1 }
			elsif (/\S/) { push @errors, $_ }
		}
		push @errors, grep { /ERROR|PANIC|differing|DETAIL/ } split /\n/, $run->{err};
	}

	# Sessions notice that the postmaster is gone; until the last has ended the server can't start.
	my $started = 0;
	for (1 .. 100)
	{
		last if $started = $node->start(fail_ok => 1);
		$node->{_pid} = undef;		# the dead one's, read from its file
		usleep(100_000);
	}
	ok($started, "round $round: the server comes back") or last;
	is_clean($node, 'hot', "round $round");
	for my $table ([ 'i', 'interaction' ], [ 'p', 'purchase' ])
	{
		my ($letter, $name) = @$table;
		my %there = map { $_ => 1 } split /\n/, $node->safe_psql('hot', "SELECT ${name}_id FROM crm.$name");
		is(scalar(grep { !$there{$_} } keys %{ $kept{$letter} }), 0, "round $round: every acknowledged ${name} is there");
		is(scalar(grep { $there{$_} } keys %{ $gone{$letter} }), 0, "round $round: no deleted ${name} is back");
	}
}

is(join("\n", @errors[ 0 .. ($#errors > 20 ? 20 : $#errors) ]), '', 'no deadlock, no other error, no state in between');
cmp_ok($acknowledged, '>', 200 * $rounds, 'there was something to lose');
note("$acknowledged rows acknowledged in $rounds rounds");
$node->safe_psql('hot', 'CREATE EXTENSION amcheck');
is($node->safe_psql('hot', <<'SQL'), '', 'the tables are sound');
SELECT NULL FROM pg_class AS c, LATERAL verify_heapam(c.oid) AS v WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r';
SQL
is($node->safe_psql('hot', <<'SQL'), '', 'the indexes hold what the tables hold');
DO $$ DECLARE i regclass; BEGIN
    FOR i IN SELECT x.indexrelid FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid JOIN pg_am AS a ON a.oid = c.relam
             WHERE c.relnamespace = 'crm'::regnamespace AND a.amname = 'btree'
    LOOP PERFORM bt_index_parent_check(i, true); END LOOP;
END $$;
SQL
$node->stop;
done_testing();
