# crm.fit_models() while it runs: others see how far it is, and a cancelled one ends within a second and leaves nothing.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use CrmTest;

my $node = new_server('models');
new_database($node, 'shop');

# Regular buyers who all leave alike: each fit takes its time.
$node->safe_psql('shop', <<'SQL', extra_params => [ '-U', 'crm_owner' ]);
INSERT INTO crm.customer (customer_id, name) SELECT n, 'customer ' || n FROM generate_series(1, 4000) AS n;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency)
SELECT c, now() - make_interval(days => 600 + c % 800 - n * (3 + c % 19)), 10 + c % 13 + n * c % 5, 'USD'
FROM generate_series(1, 4000) AS c, generate_series(0, (c::bigint * c % 17)::int) AS n;
SQL

my ($in, $out, $err) = ('', '', '');
my $fit = IPC::Run::start([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-U', 'crm_owner', '-d', 'shop' ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$in .= "\\set VERBOSITY sqlstate\nSET application_name = 'night shift';\nCALL crm.fit_models(kinds => '{bg_nbd,mbg_cnbd}');\n\\echo over\n";
$fit->pump_nb;

ok($node->poll_query_until('shop', "SELECT count(*) = 1 FROM crm.fit_progress WHERE progress ~ '^1/1 [a-z_]+ USD\$' AND role = 'crm_owner' AND started_at <= now()"),
	'another session sees which group and which kind of model is being fitted');
ok($node->poll_query_until('shop', "SELECT count(*) = 1 FROM crm.fit_progress WHERE progress ~ 'cnbd'"), 'and how it goes on');
my $start = time;
is($node->safe_psql('shop', 'SELECT count(pg_cancel_backend(pid)) FROM crm.fit_progress'), 1, 'it can be cancelled');
$fit->pump until $out =~ /over/;
my $took = time - $start;
cmp_ok($took, '<', 1.5, 'and ends within a second, and what a connection takes');
like($err, qr/57014/, 'as a cancelled query');
is($node->safe_psql('shop', 'SELECT count(*) FROM crm.fit_progress'), 0, 'nothing is running any more');
is($node->safe_psql('shop', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'night shift'"), 1, 'the session has its name back');
is($node->safe_psql('shop', 'SELECT (SELECT count(*) FROM crm.model) + (SELECT count(*) FROM crm.model_tracking)'), 0, 'no half of a fit is left');
$in .= "\\q\n";
$fit->finish;

done_testing();
