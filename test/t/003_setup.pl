# crm.setup(): by an owner who is no superuser, twice, by others, over remains and obstacles, in a database that tries to
# lead it astray; and the step to a next version.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $node = new_server('setup');
my @owner = (extra_params => [ '-U', 'crm_owner' ]);
my $version;

sub relations
{
	my ($database) = @_;
	return $node->safe_psql($database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'S', 'i')");
}

# Everything in schema crm and how it is made, without oids.
sub definition
{
	my ($database) = @_;
	my ($out, $err);
	IPC::Run::run([ 'pg_dump', '-s', '-U', 'postgres', '-h', $node->host, '-p', $node->port, $database ], '>', \$out, '2>', \$err)
	  or die $err;
	$out =~ s/^\\(un)?restrict .*\n//mg;
	return $out;
}

# The owner of the database, no superuser.
new_database($node, 'plain', no_setup => 1);
$version = $node->safe_psql('plain', 'SELECT crm.version()');
is(relations('plain'), 0, 'CREATE EXTENSION brings no table');
like($node->safe_psql('plain', 'SELECT crm.setup()', @owner), qr/^crm \Q$version\E set up: \d+ tables/, 'the owner sets up');
is($node->safe_psql('plain', <<'SQL'), 'crm_owner', 'everything belongs to who set it up');
SELECT DISTINCT pg_get_userbyid(owner) FROM (
    SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'S', 'm')
    UNION ALL
    SELECT proowner FROM pg_proc AS p WHERE pronamespace = 'crm'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')) AS o
SQL
is($node->safe_psql('plain', <<'SQL'), '', 'no relation is a member of the extension');
SELECT objid::regclass FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e' AND refclassid = 'pg_extension'::regclass
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm') AND (SELECT relkind FROM pg_class WHERE oid = objid) <> 'c'
SQL

# Twice: nothing changes.
my $before = definition('plain');
is($node->safe_psql('plain', 'SELECT crm.setup()', @owner), "crm $version is set up already: nothing to do", 'twice: says so');
is($node->safe_psql('plain', 'SELECT count(*) FROM crm.installation'), 1, 'twice: one version is recorded');
ok(definition('plain') eq $before, 'twice: nothing changes');

# Others.
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN; CREATE ROLE helper LOGIN');
fails_with($node, 'plain', 'SELECT crm.setup()', qr/42501|permission denied/, 'a stranger', role => 'stranger');
fails_with($node, 'plain', 'SELECT crm.setup()', qr/42501: .*set up in this database by role "crm_owner"/, 'another superuser', role => 'postgres');
new_database($node, 'foreign_owner', no_setup => 1);
fails_with($node, 'foreign_owner', 'SELECT crm.setup()', qr/42501/, 'a stranger in a database not set up', role => 'stranger');
is(relations('foreign_owner'), 0, 'a stranger leaves nothing behind');
$node->safe_psql('foreign_owner', 'GRANT CREATE ON SCHEMA crm TO helper; GRANT EXECUTE ON FUNCTION crm.setup() TO helper');
like($node->safe_psql('foreign_owner', 'SELECT crm.setup()', extra_params => [ '-U', 'helper' ]), qr/set up/, 'whoever is granted it sets up');

# Rolled back.
new_database($node, 'rolled_back', no_setup => 1);
$node->safe_psql('rolled_back', 'BEGIN; SELECT crm.setup(); ROLLBACK', @owner);
is(relations('rolled_back'), 0, 'rolled back: nothing is left');
like($node->safe_psql('rolled_back', 'SELECT crm.setup()', @owner), qr/set up: /, 'rolled back: can be set up');

# Something is in the way.
for my $obstacle ('CREATE TABLE crm.purchase (x int)', 'CREATE VIEW crm.attribute AS SELECT 1 AS x', 'CREATE SEQUENCE crm.customer',
	'CREATE FUNCTION crm.verify() RETURNS int LANGUAGE sql RETURN 1')
{
	my $name = 'obstacle_' . ($obstacle =~ /crm\.(\w+)/)[0];
	new_database($node, $name, no_setup => 1);
	$node->safe_psql($name, $obstacle);
	my $there = definition($name);
	fails_with($node, $name, 'SELECT crm.setup()', qr/crm\.\w+/, $obstacle, role => 'crm_owner');
	ok(definition($name) eq $there, "$obstacle: leaves nothing behind");
}

# Half of it is gone.
for my $loss ('DROP TABLE crm.contact_point CASCADE', 'DROP FUNCTION crm.close_windows', 'ALTER TABLE crm.customer DROP COLUMN peer_group CASCADE',
	'DROP TRIGGER loop_insert ON crm.interaction', 'DROP TABLE crm.installation')
{
	my $name = 'lost_' . lc(join '_', $loss =~ /(\w+)/g);
	$name = substr($name, 0, 50);
	new_database($node, $name);
	$node->safe_psql($name, $loss, @owner);
	my $there = definition($name);
	my ($what) = $loss =~ /DROP COLUMN (\w+)/ ? $1 : $loss =~ /TRIGGER (\w+)/ ? $1 : $loss =~ /installation/ ? 'already holds' : $loss =~ /crm\.(\w+)/;
	fails_with($node, $name, 'SELECT crm.setup()', qr/$what/, $loss, role => 'crm_owner');
	ok(definition($name) eq $there, "$loss: leaves nothing behind");
}

# A hostile search_path: functions, operators, types and tables that are better matches than those of pg_catalog.
new_database($node, 'hostile', no_extension => 1);
$node->safe_psql('hostile', <<'SQL');
GRANT ALL ON SCHEMA public TO PUBLIC;
SET check_function_bodies = off;
CREATE TABLE public.stolen (what text);
GRANT ALL ON public.stolen TO PUBLIC;
CREATE FUNCTION public.trap(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.stolen VALUES (what)';
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.trap('lower'); RETURN 'x'; END $$;
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('now'); RETURN '1999-01-01'; END $$;
CREATE FUNCTION public.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('count'); RETURN 0; END $$;
CREATE FUNCTION public.coalesce_(anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION public.greatest_(timestamptz, timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
CREATE FUNCTION public.isfinite(timestamptz) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.trap('isfinite'); RETURN false; END $$;
CREATE FUNCTION public.timezone(text, timestamptz) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.trap('timezone'); RETURN NULL; END $$;
CREATE FUNCTION public.evil_eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('='); RETURN false; END $$;
CREATE FUNCTION public.evil_text(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('=text'); RETURN false; END $$;
CREATE FUNCTION public.evil_bigint(bigint, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('+'); RETURN 0; END $$;
CREATE FUNCTION public.evil_time(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('<'); RETURN false; END $$;
CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.evil_eq);
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil_text);
CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil_text);
CREATE OPERATOR public.~ (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil_text);
CREATE OPERATOR public.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.evil_bigint);
CREATE OPERATOR public.- (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.evil_bigint);
CREATE OPERATOR public.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = public.evil_time);
CREATE OPERATOR public.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = public.evil_time);
CREATE TYPE public.channel AS ENUM ('trap');
CREATE DOMAIN public.numeric AS text;
CREATE TABLE public.customer (customer_id bigint);
CREATE TABLE public.interaction (customer_id bigint);
CREATE VIEW public.pg_class AS SELECT 1 AS oid;
ALTER DATABASE hostile SET search_path = public, crm, pg_catalog;
ALTER DATABASE hostile SET check_function_bodies = off;
ALTER DATABASE hostile SET standard_conforming_strings = off;
ALTER DATABASE hostile SET backslash_quote = off;
ALTER DATABASE hostile SET transform_null_equals = on;
ALTER DATABASE hostile SET quote_all_identifiers = on;
ALTER DATABASE hostile SET intervalstyle = 'sql_standard';
ALTER DATABASE hostile SET datestyle = 'SQL, DMY';
ALTER DATABASE hostile SET extra_float_digits = 0;
ALTER DATABASE hostile SET timezone = 'Asia/Kathmandu';
SQL
$node->safe_psql('hostile', 'CREATE EXTENSION btree_gist SCHEMA public; CREATE EXTENSION ltree SCHEMA public; CREATE EXTENSION pg_trgm SCHEMA public; CREATE EXTENSION crm');
like($node->safe_psql('hostile', 'SELECT crm.setup()', @owner), qr/set up: /, 'hostile search_path: sets up');
is($node->safe_psql('hostile', 'SELECT crm.setup()', @owner), "crm $version is set up already: nothing to do", 'hostile search_path: twice');
# The same definition as elsewhere; a view shows how the settings of the one who looks print it, so look from a calm place.
$node->safe_psql('hostile', <<'SQL');
ALTER DATABASE hostile SET search_path = pg_catalog;
ALTER DATABASE hostile RESET quote_all_identifiers;
SQL
my $hostile_definition = $node->safe_psql('hostile', "SELECT count(*) FROM pg_class WHERE relnamespace = 'crm'::regnamespace");
is($hostile_definition, $node->safe_psql('plain', "SELECT count(*) FROM pg_class WHERE relnamespace = 'crm'::regnamespace"),
	'hostile search_path: as many relations as elsewhere');
$node->safe_psql('hostile', "ALTER DATABASE hostile SET search_path = public, crm, pg_catalog");
$node->safe_psql('hostile', <<'SQL', @owner);
INSERT INTO crm.customer (given_name, family_name, country) VALUES ('A', 'B', 'DE'), ('C', 'D', 'DE');
INSERT INTO crm.contact_point (customer_id, channel, address) VALUES (1, 'email', 'a@example.com'), (2, 'phone', '030 1234567');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at)
VALUES (1, 'email', 'outbound', 'sent', '2024-01-01'), (1, 'email', 'inbound', 'replied', '2024-02-01'), (2, 'phone', 'outbound', 'bounced', '2024-01-01');
INSERT INTO crm.purchase (customer_id, purchased_at, amount) VALUES (1, '2024-03-01', 10), (1, '2024-02-01', 5), (2, '2024-02-01', 5);
SELECT crm.close_windows('2024-03-01');
UPDATE crm.interaction SET outcome = 'reached' WHERE interaction_id OPERATOR(pg_catalog.=) 1;
DELETE FROM crm.purchase WHERE purchase_id OPERATOR(pg_catalog.=) 3;
SET crm.loop = deferred;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at) VALUES (2, 'phone', 'inbound', 'replied', '2024-02-01');
SET client_min_messages = warning;
CALL crm.analyse();
SELECT crm.rebuild();
SQL
$node->safe_psql('hostile', 'DELETE FROM public.stolen WHERE false');
is($node->safe_psql('hostile', 'SELECT DISTINCT what FROM public.stolen ORDER BY 1'), '', 'hostile search_path: no foreign function or operator ran');
is($node->safe_psql('hostile', <<'SQL'), "t|t", 'hostile search_path: the loop is right');
SET search_path = pg_catalog;
SELECT (SELECT sum(differing) = 0 FROM crm.verify()), (SELECT count(*) = 2 FROM crm.customer_channel);
SQL

# A database of another encoding: the scripts have no characters that it could not hold, addresses in ASCII are read.
$node->safe_psql('postgres', "CREATE DATABASE latin OWNER crm_owner TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
$node->safe_psql('latin', 'SET client_min_messages = warning; CREATE EXTENSION crm CASCADE');
like($node->safe_psql('latin', 'SELECT crm.setup()', @owner), qr/set up: /, 'LATIN1: sets up');
is($node->safe_psql('latin', <<'SQL', @owner), "ann\@example.org\n+49211123456\nhauptstr. 1", 'LATIN1: reads addresses');
INSERT INTO crm.customer (name, country) VALUES (chr(252), 'DE');
INSERT INTO crm.contact_point (customer_id, channel, address)
VALUES (1, 'email', 'Ann@Example.org'), (1, 'phone', '0211 123456'), (1, 'letter', 'Hauptstr.  1');
SELECT canonical FROM crm.contact_point ORDER BY contact_point_id;
SQL
fails_with($node, 'latin', q{SELECT ('a@' || chr(252) || '.de')::crm.email_address}, qr/need a database with encoding UTF8/, 'LATIN1: refuses other e-mail addresses', role => 'crm_owner');

# DROP EXTENSION CASCADE and again from the start: nothing of ours stands in the way, the customers' rows are kept aside.
new_database($node, 'again');
load_facts($node, 'again', 50);
$node->safe_psql('again', 'SET client_min_messages = error; DROP EXTENSION crm CASCADE');
$node->safe_psql('again', 'SET client_min_messages = error; CREATE EXTENSION crm');
like($node->safe_psql('again', 'SELECT crm.setup()', @owner), qr/set up: .*crm_remains_1/, 'after DROP EXTENSION CASCADE: sets up anew');
is($node->safe_psql('again', 'SELECT count(*) FROM crm_remains_1.customer', @owner), 50, 'after DROP EXTENSION CASCADE: the customers are kept');
load_facts($node, 'again', 50);
is_clean($node, 'again', 'after DROP EXTENSION CASCADE');

# Upkeep in transactions of its own, by the owner; what another session is at is left to it, what is not due is not done.
new_database($node, 'upkeep');
load_facts($node, 'upkeep', 300);
$node->safe_psql('upkeep', 'CALL crm.maintain()', @owner);
is($node->safe_psql('upkeep', 'SELECT count(*) FILTER (WHERE last_error IS NULL AND last_result IS NOT NULL), count(*) FROM crm.upkeep'), '9|9', 'upkeep: every task is done');
is($node->safe_psql('upkeep', 'SELECT count(DISTINCT last_run_at) FROM crm.upkeep'), 1, 'upkeep: as of one time');
my $at_it = $node->background_psql('upkeep', on_error_stop => 1);
$at_it->query_safe(q{BEGIN; SELECT FROM crm.upkeep WHERE task = 'close_windows' FOR UPDATE});
$node->safe_psql('upkeep', "CALL crm.maintain(now() + interval '1 hour')", @owner);
is($node->safe_psql('upkeep', "SELECT string_agg(task, ' ' ORDER BY position) FROM crm.upkeep WHERE last_run_at > now() + interval '30 minutes'"),
	'analyse expire_leases expire_handovers narrow_publications reclassify_machines', 'upkeep: what is due, but for what another session is at');
$at_it->quit;
is_clean($node, 'upkeep', 'upkeep');

# The next version: a step that adds a table and a column, and one that fails half-way.
my $share = `$ENV{PG_CONFIG} --sharedir`;
chomp $share;
my $next = "$version.1";
my $broken = "$version.2";
my @made;
sub script
{
	my ($name, $text) = @_;
	push @made, "$share/extension/$name";
	unlink $made[-1];
	append_to_file($made[-1], $text);
	return;
}
my $schema = slurp_file("$share/extension/crm-schema--$version.sql");
my $step = "ALTER TABLE crm.customer ADD COLUMN motto_of_the_day text;\nCREATE TABLE crm.weather (day date PRIMARY KEY, sky text);\n";
script("crm--$version--$next.sql", "SELECT 1;\n");
script("crm-schema--$version--$next.sql", $step);
script("crm-schema--$next.sql", $schema . "CREATE TABLE crm.weather (day date PRIMARY KEY, sky text);\n");
script("crm--$next--$broken.sql", "SELECT 1;\n");
script("crm-schema--$next--$broken.sql", "CREATE TABLE crm.half (x int);\nSELECT 1 / 0;\n");
script("crm-schema--$broken.sql", $schema);
new_database($node, 'updated');
load_facts($node, 'updated', 50);
my $rows = contents($node, 'updated');
$node->safe_psql('updated', "ALTER EXTENSION crm UPDATE TO '$next'");
is($node->safe_psql('updated', 'SELECT crm.setup()', @owner), "crm updated from $version to $next", 'update: applies the step');
is($node->safe_psql('updated', "SELECT string_agg(version || coalesce(' from ' || previous, ''), ', ' ORDER BY installation_id) FROM crm.installation"),
	"$version, $next from $version", 'update: both versions are recorded');
is($node->safe_psql('updated', 'SELECT count(*), count(motto_of_the_day), (SELECT count(*) FROM crm.weather) FROM crm.customer'), '50|0|0',
	'update: the new column and table are there');
is($node->safe_psql('updated', 'SELECT crm.setup()', @owner), "crm $next is set up already: nothing to do", 'update: twice');
is_clean($node, 'updated', 'update');
$node->safe_psql('updated', "ALTER EXTENSION crm UPDATE TO '$broken'");
fails_with($node, 'updated', 'SELECT crm.setup()', qr/division by zero.*line 2/s, 'a step that fails', role => 'crm_owner');
is($node->safe_psql('updated', "SELECT to_regclass('crm.half') IS NULL, count(*) FROM crm.installation"), 't|2', 'a step that fails leaves nothing behind');
# Straight to a version to which no steps lead.
new_database($node, 'no_way');
$node->safe_psql('no_way', "UPDATE crm.installation SET version = '0.1'", @owner);
fails_with($node, 'no_way', 'SELECT crm.setup()', qr/no way to bring the tables of crm from version 0\.1/, 'no step', role => 'crm_owner');

$node->stop;
unlink @made;
done_testing();
