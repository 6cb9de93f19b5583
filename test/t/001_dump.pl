# A dump carries everything: facts, derived rows, settings, waiting rows, sequences, and what the DBA added to crm's
# tables. The superuser made the extension; everything else belongs to the database's owner, who is none.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $node = new_server('dump');
my $dir = PostgreSQL::Test::Utils::tempdir();

new_database($node, 'source');
load_facts($node, 'source', 300);
$node->safe_psql('postgres', 'CREATE ROLE crm_reader LOGIN');
$node->safe_psql('source', <<'SQL', extra_params => [ '-U', 'crm_owner' ]);
-- Changed settings.
UPDATE crm.channel_policy SET half_life = '200 days', cap = 7, cap_window = '3 days' WHERE channel = 'phone';
UPDATE crm.outcome_effect SET success = 0.25 WHERE direction = 'outbound' AND outcome = 'opened';
-- Waiting rows.
SET crm.loop = deferred;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
SELECT n, 'email', 'inbound', 'replied', '2024-05-01' FROM generate_series(1, 40) AS n;
INSERT INTO crm.purchase (customer_id, purchased_at, amount) SELECT n, '2024-05-01', n FROM generate_series(1, 30) AS n;
RESET crm.loop;
-- What a DBA adds.
ALTER TABLE crm.customer ADD COLUMN tier text DEFAULT 'gold' CHECK (tier <> '');
ALTER TABLE crm.interaction ADD COLUMN room text;
UPDATE crm.interaction SET room = 'blue' WHERE interaction_id % 3 = 0 AND analysed_at IS NOT NULL;
CREATE INDEX interaction_room ON crm.interaction (room);
COMMENT ON COLUMN crm.customer.tier IS 'the DBA''s own';
COMMENT ON TABLE crm.customer IS 'a comment that the DBA changed';
CREATE STATISTICS crm.customer_statistics ON country, language FROM crm.customer;
ALTER TABLE crm.customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_only ON crm.customer FOR SELECT TO crm_reader USING (country = 'DE');
GRANT SELECT ON crm.customer TO crm_reader;
CREATE TABLE public.audit (n bigint GENERATED ALWAYS AS IDENTITY, customer_id bigint);
CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.audit (customer_id) VALUES (new.customer_id); RETURN new; END';
CREATE TRIGGER zz_audit AFTER INSERT ON crm.customer FOR EACH ROW EXECUTE FUNCTION public.audit();
CREATE VIEW public.gold AS SELECT customer_id, tier FROM crm.customer;
SQL
is_clean($node, 'source', 'source');
my $expected = contents($node, 'source');
like($expected, qr/^customer_channel\|[1-9]/m, 'there are derived rows to compare');

# The whole definition as text; pg_dump marks its scripts with a word of chance. (Rows come in the order in which the
# table holds them, so their contents are compared by contents().)
sub dump_text
{
	my ($database, $role) = @_;
	my ($out, $err);
	IPC::Run::run([ 'pg_dump', '-s', '-U', $role // 'postgres', '-h', $node->host, '-p', $node->port, $database ], '>', \$out, '2>', \$err)
	  or die $err;
	$out =~ s/^\\(un)?restrict .*\n//mg;
	return $out;
}

# Compares two dumps line by line, and shows where they part.
sub same_dump
{
	my ($database, $text, $what) = @_;
	my @is = split /\n/, dump_text($database);
	my @must = split /\n/, $text;
	my ($from) = grep { ($is[$_] // '') ne ($must[$_] // '') } 0 .. ($#must > $#is ? $#must : $#is);
	ok(!defined $from, "$what: its definition is the same, line by line")
	  or diag("line $from is\n", join("\n", @is[ $from .. $from + 8 ]), "\nand was\n", join("\n", @must[ $from .. $from + 8 ]));
	return;
}

sub is_copy
{
	my ($database, $what) = @_;
	is(contents($node, $database), $expected, "$what: every table and sequence is the same");
	is_clean($node, $database, $what);
	return;
}

# The restored database goes on: sequences, triggers, waiting rows, the DBA's own trigger and policy.
sub goes_on
{
	my ($database, $what) = @_;
	is($node->safe_psql($database, <<'SQL', extra_params => [ '-U', 'crm_owner' ]), "30|40\nt|1|1\nt", "$what: goes on as before");
SELECT count(*) FILTER (WHERE t = 'p'), count(*) FILTER (WHERE t = 'i')
FROM (SELECT 'i' AS t FROM crm.interaction WHERE analysed_at IS NULL UNION ALL SELECT 'p' FROM crm.purchase WHERE analysed_at IS NULL) AS w;
SET client_min_messages = warning;
CALL crm.analyse();
WITH c AS (INSERT INTO crm.customer (name) VALUES ('New') RETURNING customer_id),
     i AS (INSERT INTO crm.interaction (customer_id, channel, direction, outcome)
           VALUES (1, 'phone', 'inbound', 'reached') RETURNING interaction_id)
SELECT c.customer_id > 300, 1, count(*) FROM c, i GROUP BY 1;
SELECT count(*) > 0 FROM public.audit WHERE customer_id > 300;
SQL
	is($node->safe_psql($database, "SELECT count(*) FROM crm.interaction WHERE analysed_at IS NULL"), '0', "$what: nothing waits");
	is_clean($node, $database, "$what, after writing");
	is($node->safe_psql($database, "SELECT bool_and(country = 'DE') AND count(*) > 0 FROM crm.customer",
			extra_params => [ '-U', 'crm_reader' ]), 't', "$what: the DBA's policy holds");
	my ($status, $out, $err) = $node->psql($database, 'DROP EXTENSION crm');
	isnt($status, 0, "$what: DROP EXTENSION without CASCADE refuses");
	like($err, qr/other objects depend on it/, "$what: because the tables depend on it");
	is($node->safe_psql($database, 'SELECT crm.setup()', extra_params => [ '-U', 'crm_owner' ]),
		'crm ' . $node->safe_psql($database, 'SELECT crm.version()') . ' is set up already: nothing to do',
		"$what: crm.setup() finds it complete");
	return;
}

my $text = dump_text('source');

# Text, by the superuser.
$node->safe_psql('postgres', 'CREATE DATABASE copy_text OWNER crm_owner');
$node->command_ok([ 'sh', '-c', 'pg_dump -h "$0" -p "$1" -U postgres source | psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$0" -p "$1" -U postgres copy_text',
		$node->host, $node->port ], 'pg_dump | psql');
is_copy('copy_text', 'text');
same_dump('copy_text', $text, 'text');
goes_on('copy_text', 'text');

# Custom format, restored in parallel.
$node->safe_psql('postgres', 'CREATE DATABASE copy_custom OWNER crm_owner');
$node->command_ok([ 'pg_dump', '-Fc', '-U', 'postgres', '-f', "$dir/source.dump", 'source' ], 'pg_dump -Fc');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-U', 'postgres', '-d', 'copy_custom', "$dir/source.dump" ], 'pg_restore -j 2');
is_copy('copy_custom', 'custom');
same_dump('copy_custom', $text, 'custom');
goes_on('copy_custom', 'custom');

# Data only, into a database that has been set up. Its own first rows (version, rules) make room for the dumped ones.
new_database($node, 'copy_data');
$node->safe_psql('copy_data', <<'SQL', extra_params => [ '-U', 'crm_owner' ]);
SELECT crm.remove_defaults();
ALTER TABLE crm.customer ADD COLUMN tier text DEFAULT 'gold';
ALTER TABLE crm.interaction ADD COLUMN room text;
SQL
$node->command_ok([ 'sh', '-c', 'pg_dump -h "$0" -p "$1" -U postgres --data-only --disable-triggers -n crm source | psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$0" -p "$1" -U postgres copy_data',
		$node->host, $node->port ], 'pg_dump --data-only --disable-triggers | psql');
is_copy('copy_data', 'data only');

# By the owner alone, who may not create extensions: the superuser has, the rest is his.
new_database($node, 'copy_owner', no_setup => 1);
$node->command_ok([ 'pg_dump', '-Fc', '-U', 'crm_owner', '-f', "$dir/owner.dump", 'source' ], 'the owner dumps');
my ($list) = run_command([ 'pg_restore', '-l', "$dir/owner.dump" ]);
$list = join "\n", grep { !/ (EXTENSION|SCHEMA) - |(COMMENT|ACL) - (EXTENSION|SCHEMA) / } split /\n/, $list;
append_to_file("$dir/owner.list", "$list\n");
$node->command_ok([ 'pg_restore', '-e', '-U', 'crm_owner', '-L', "$dir/owner.list", '-d', 'copy_owner', "$dir/owner.dump" ],
	'the owner restores');
is_copy('copy_owner', 'by the owner');
goes_on('copy_owner', 'by the owner');

$node->stop;
done_testing();
