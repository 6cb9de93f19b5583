# Replicas: a physical one that is promoted in the middle of the load, and a logical one, on which no trigger of the loop
# fires, so that the derived tables are published too.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use CrmTest;

my $primary = new_server('primary', allows_streaming => 'logical');
new_database($primary, 'shop');
load_facts($primary, 'shop', 200);

# Physical: promoted while four sessions write to the primary.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
my @runs;
for my $client (1 .. 4)
{
	my $sql = join "\n", map {
		my $n = $_;
		"INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) "
		  . "SELECT 1 + (n * 37 + $n) % 200, 'phone', 'outbound', 'reached', '2024-01-01'::timestamptz + $n * interval '1 minute' FROM generate_series(1, 3) AS n;\n"
		  . "INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (1 + $n % 200, '2024-01-01'::timestamptz + $n % 77 * interval '1 day', $n);\n"
		  . "DELETE FROM crm.interaction WHERE interaction_id = $client + 4 * $n;"
	} 1 .. 3000;
	my %run = (in => $sql, out => '', err => '');
	$run{harness} = IPC::Run::start([ 'psql', '-X', '-q', '-h', $primary->host, '-p', $primary->port, '-U', 'crm_owner', '-d', 'shop' ],
		'<', \$run{in}, '>', \$run{out}, '2>', \$run{err});
	push @runs, \%run;
}
my $until = Time::HiRes::time() + 2;
while (Time::HiRes::time() < $until)
{
	$_->{harness}->pump_nb for @runs;
	usleep(10_000);
}
is_clean($standby, 'shop', 'standby, while the primary is written to');
$standby->promote;
is_clean($standby, 'shop', 'promoted in the middle of the load');
$_->{harness}->kill_kill for @runs;
is(join('', grep { /ERROR/ } map { $_->{err} } @runs), '', 'the load ran without errors');
load_facts_again($standby);
is_clean($standby, 'shop', 'promoted, after writing');
$standby->stop;

sub load_facts_again
{
	my ($node) = @_;
	$node->safe_psql('shop', <<'SQL', extra_params => [ '-U', 'crm_owner' ]);
INSERT INTO crm.customer (name) VALUES ('Late');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT 1 + n % 200, 'chat', 'inbound', 'replied', '2024-03-01' FROM generate_series(1, 500) AS n;
UPDATE crm.purchase SET amount = amount + 1 WHERE purchase_id % 9 = 0;
DELETE FROM crm.interaction WHERE interaction_id % 29 = 0;
SQL
	return;
}

# Logical: all tables of the schema, derived ones with them.
my $subscriber = new_server('subscriber', allows_streaming => 'logical');
new_database($subscriber, 'shop');
$subscriber->safe_psql('shop', 'SELECT crm.remove_defaults()', extra_params => [ '-U', 'crm_owner' ]);
$primary->safe_psql('shop', 'CREATE PUBLICATION crm FOR TABLES IN SCHEMA crm');
$subscriber->safe_psql('shop', sprintf('CREATE SUBSCRIPTION crm CONNECTION $$%s$$ PUBLICATION crm', $primary->connstr('shop')));
$subscriber->wait_for_subscription_sync($primary, 'crm', 'shop');
load_facts_again($primary);
$primary->safe_psql('shop', <<'SQL', extra_params => [ '-U', 'crm_owner' ]);
SET crm.loop = deferred;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (3, 'fax', 'inbound', 'replied', '2024-03-02');
SET client_min_messages = warning;
CALL crm.analyse();
TRUNCATE crm.purchase;
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (3, '2024-03-02', 9.99);
UPDATE crm.channel_policy SET half_life = '100 days' WHERE channel = 'fax';
SQL
$primary->wait_for_catchup('crm');
my ($here, $there) = map { my $c = contents($_, 'shop'); $c =~ s/^\w+_seq\|.*\n?//mg; $c } $primary, $subscriber;
is($there, $here, 'logical replica: every table is the same');
is_clean($subscriber, 'shop', 'logical replica');
$subscriber->stop;
$primary->stop;
done_testing();
