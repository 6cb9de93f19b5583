# What the TAP tests share: servers with crm, its contents to compare, facts to load.
package CrmTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_server new_database is_clean contents load_facts fails_with seed);

# A started server.
sub new_server
{
	my ($name, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	# Not the locale of whoever runs the tests: addresses beyond ASCII need UTF8.
	$node->init(%init, extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', <<'CONF');
max_connections = 40
shared_buffers = 64MB
log_line_prefix = '%m [%p] %d %e '
log_statement = none
timezone = UTC
CONF
	$node->start;
	return $node;
}

# A database with crm created by the superuser and, unless told not to, set up by its owner.
sub new_database
{
	my ($node, $name, %with) = @_;
	my $owner = $with{owner} // 'crm_owner';
	$node->safe_psql('postgres', <<SQL);
DO \$\$ BEGIN
    IF to_regrole('$owner') IS NULL THEN CREATE ROLE $owner LOGIN; END IF;
END \$\$;
CREATE DATABASE $name OWNER $owner;
SQL
	$node->safe_psql($name, "SET client_min_messages = warning; CREATE EXTENSION crm CASCADE") unless $with{no_extension};
	$node->safe_psql($name, "SELECT crm.setup()", extra_params => [ '-U', $owner ])
	  unless $with{no_extension} || $with{no_setup};
	return;
}

# The derived tables are what the facts say.
sub is_clean
{
	my ($node, $database, $what) = @_;
	my $differing = $node->safe_psql($database,
		"SELECT string_agg(format('%s: %s of %s', relation, differing, customers), ', ' ORDER BY relation) "
		  . "FROM crm.verify() WHERE differing <> 0");
	is($differing, '', "$what: crm.verify() finds no difference");
	return;
}

# Every row of every table, and every sequence, as one digest per relation.
sub contents
{
	my ($node, $database) = @_;
	my $query = $node->safe_psql($database, <<'SQL');
SELECT string_agg(format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM crm.%I AS t',
                         relname, relname), ' UNION ALL ')
FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p')
SQL
	return $node->safe_psql($database, "$query ORDER BY 1") . "\n"
	  . $node->safe_psql($database, "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'crm' ORDER BY 1");
}

# Facts of some customers, in both speeds, changed, deleted and late ones among them; the same for the same arguments.
sub load_facts
{
	my ($node, $database, $customers, $role) = @_;
	$node->safe_psql($database, <<SQL, extra_params => [ '-U', $role // 'crm_owner' ]);
INSERT INTO crm.attribute (name, type) VALUES ('shoe_size', 'integer'), ('motto', 'text');
INSERT INTO crm.customer (kind, given_name, family_name, country, language, attributes, source, source_key)
SELECT CASE n % 7 WHEN 0 THEN 'organisation' ELSE 'person' END::crm.customer_kind, 'Given' || n, 'Family\\' || n,
       CASE n % 3 WHEN 0 THEN 'DE' END, 'de', jsonb_build_object('shoe_size', 30 + n % 20, 'motto', E'tab\\tand "quote" ' || n), 'load', n
FROM generate_series(1, $customers) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address, is_primary)
SELECT customer_id, 'email'::crm.channel, 'c' || customer_id || CASE customer_id % 5 WHEN 0 THEN U&'\@B\\00fccher.example' ELSE '\@Example.COM' END, true FROM crm.customer
UNION ALL SELECT customer_id, 'phone', CASE country WHEN 'DE' THEN '030 / ' ELSE '+49 30 ' END || 1000000 + customer_id, true FROM crm.customer WHERE customer_id % 2 = 0;
-- Some have moved since: their numbers stay German.
UPDATE crm.customer SET country = 'FR' WHERE customer_id % 12 = 0;
INSERT INTO crm.relationship (from_customer_id, to_customer_id, kind, valid)
SELECT n, n + 1, 'knows', tstzrange('2020-01-01', NULL) FROM generate_series(1, $customers - 1, 5) AS n;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, body, details, source, external_id)
SELECT 1 + (n * 7919) % $customers, (enum_range(NULL::crm.channel))[1 + n % 10], (enum_range(NULL::crm.direction))[1 + (n / 3) % 2],
       (enum_range(NULL::crm.outcome))[1 + (n * 31) % 14], '2020-01-01'::timestamptz + n % 2000 * interval '1 day 17 minutes',
       E'line\\nline ' || n, jsonb_build_object('n', n), 'load', n
FROM generate_series(1, 10 * $customers) AS n;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, currency, source, external_id)
SELECT 1 + (n * 6007) % $customers, '2021-01-01'::timestamptz + (n * 13) % 1500 * interval '1 day 1 hour', ((n * 37 % 100000) / 100.0)::numeric(12, 2),
       CASE n % 5 WHEN 0 THEN 'USD' ELSE 'EUR' END, 'load', n
FROM generate_series(1, 5 * $customers) AS n;
UPDATE crm.interaction SET outcome = 'reached' WHERE interaction_id % 11 = 0;
UPDATE crm.interaction SET customer_id = 1 + customer_id % $customers WHERE interaction_id % 17 = 0;
DELETE FROM crm.interaction WHERE interaction_id % 13 = 0;
DELETE FROM crm.purchase WHERE purchase_id % 13 = 0;
SELECT crm.close_windows('2022-01-01');
SQL
	return;
}

# Runs SQL that must fail with an error that matches; nothing of it may stay.
sub fails_with
{
	my ($node, $database, $sql, $pattern, $what, %with) = @_;
	my ($status, $out, $err) = $node->psql($database, "\\set VERBOSITY verbose\n$sql",
		on_error_stop => 1, extra_params => [ '-U', $with{role} // 'postgres' ]);
	isnt($status, 0, "$what: fails");
	like($err, $pattern, "$what: says why");
	return;
}

# A seed that is shown, and may be given again.
sub seed
{
	my $seed = $ENV{CRM_SEED} // int(rand(2**31));
	diag("CRM_SEED=$seed") if $ENV{CRM_SEED};
	note("CRM_SEED=$seed");
	srand($seed);
	return $seed;
}

1;
