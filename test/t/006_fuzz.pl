# Random and mutated text and bytes to the input and receive function of every base type of crm: nothing crashes, what is
# refused is refused with an error of bad input, and what is accepted is a value that keeps its text, its bytes, its
# order and its hash.
#
# CRM_FUZZ_RUNS   how many for each type and format (default 1000000)
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $runs = $ENV{CRM_FUZZ_RUNS} // 1_000_000;
my $seed = seed();

# Valid values of every type, from which others are made: queries that return text.
my %samples = (
	channel_score => <<'SQL',
SELECT crm.channel_score(s, f, t, h)::text FROM
    (VALUES (1, 0, timestamptz '2024-01-01', interval '364 days'), (0.5, 3, '1960-02-29 12:34:56.789', '1 day'), (1000, 1000, '2190-01-01', '10 years')) AS v (s, f, t, h)
    GROUP BY t
UNION ALL SELECT crm.channel_score(1, 1, '2024-01-01'::timestamptz + n * interval '1 day', '30 days')::text FROM generate_series(1, 100) AS n
SQL
	buying_history => <<'SQL',
SELECT crm.buying_history('2024-01-01'::timestamptz + n * interval '1 day', (n * 12.34)::numeric)::text FROM generate_series(1, 100) AS n GROUP BY n % 9
UNION ALL SELECT crm.buying_history('1970-01-01 23:59:59.999999+00', 0::numeric)::text
SQL
	email_address => <<'SQL',
VALUES ('jane.doe@example.com'), ('J@b.de'), ('"quo ted"@example.org'), ('pelé@bücher.example'), ('x+y_z@sub.sub.example.co.uk'), ('a@xn--bcher-kva.example'), ('a@xn--zva.example'),
    (U&'"e\005c\005c\0300x\0301 y"@e\0301.example')
SQL
	phone_number => <<'SQL',
VALUES ('+49301234567'), ('+12125550123'), ('+442071838750'), ('+8613812345678'), ('+39066982')
SQL
	journey => <<'SQL',
SELECT crm.journey((enum_range(NULL::crm.channel))[1 + n % 10], (enum_range(NULL::crm.direction))[1 + n % 2], (enum_range(NULL::crm.outcome))[1 + n % 14],
                   '2024-01-01'::timestamptz + n * n * interval '1 minute')::text FROM generate_series(1, 60) AS n GROUP BY n % 7
SQL
	responsibility => <<'SQL',
VALUES ('accountable: sell, service via phone, email'), ('informed: market'), ('consulted: acquire, advise, deliver, collect, retain')
SQL
);

my $node = new_server('fuzz');
$node->append_conf('postgresql.conf', "restart_after_crash = off\n");
$node->restart;
new_database($node, 'fuzz', no_setup => 1);
$node->safe_psql('fuzz', <<SQL);
CREATE FUNCTION fuzz_in(regtype, bigint, bigint, text[], OUT sqlstate text, OUT runs bigint, OUT input text, OUT message text)
    RETURNS SETOF record AS '$ENV{CRM_FUZZ_MODULE}' LANGUAGE c STRICT;
CREATE FUNCTION fuzz_recv(regtype, bigint, bigint, text[], OUT sqlstate text, OUT runs bigint, OUT input text, OUT message text)
    RETURNS SETOF record AS '$ENV{CRM_FUZZ_MODULE}' LANGUAGE c STRICT;
SQL

my @types = split /\n/, $node->safe_psql('fuzz',
	"SELECT typname FROM pg_type WHERE typnamespace = 'crm'::regnamespace AND typtype = 'b' AND typcategory <> 'A' ORDER BY 1");
cmp_ok(scalar(@types), '>', 0, 'crm has base types');

# As many sessions as there are processors.
my @todo = map { my $type = $_; map { [ $type, $_ ] } qw(in recv) } @types;
my (@running, @finished);
while (@todo || @running)
{
	while (@todo && @running < 2)
	{
		my ($type, $format) = @{ shift @todo };
		my %run = (type => $type, format => $format, out => '', err => '');
		if (!defined $samples{$type})
		{
			fail("there are samples of crm.$type");
			next;
		}
		my $sql = "SET client_min_messages = error; SELECT sqlstate, runs, input, message FROM fuzz_$format('crm.$type', $runs, $seed, "
		  . "(SELECT array_agg(t::text) FROM ($samples{$type}) AS s (t)))";
		$run{harness} = IPC::Run::start(
			[ 'psql', '-X', '-q', '-A', '-t', '-R', '%%', '-h', $node->host, '-p', $node->port, '-U', 'postgres', '-d', 'fuzz', '-c', $sql ],
			'<', \undef, '>', \$run{out}, '2>', \$run{err});
		push @running, \%run;
	}
	my $run = shift @running or next;
	$run->{harness}->finish;
	push @finished, $run;
}

for my $run (@finished)
{
	my $what = "crm.$run->{type}, " . ($run->{format} eq 'in' ? 'text' : 'bytes');
	is($run->{err}, '', "$what: no crash, and every value that is accepted is one");
	my @bad;
	my ($accepted, $total) = (0, 0);
	for (split /%%/, $run->{out})
	{
		my ($sqlstate, $count) = split /\|/;
		$total += $count;
		$accepted = $count if $sqlstate eq '00000';
		push @bad, $_ unless $sqlstate =~ /^(00000|22...|42601|54...|08P01)$/;
	}
	is(join("\n", @bad), '', "$what: errors of bad input only");
	is($total, $runs, "$what: $runs inputs");
	cmp_ok($accepted, '>', $runs / 1000, "$what: some are accepted");
	note("$what: $accepted accepted");
}
$node->stop;
done_testing();
