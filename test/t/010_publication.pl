# A partner's own database: crm.create_partner_publication() sends it the rows and the columns of its customers, and of no
# others; who moves away or towards it goes or comes with all that is known of him.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CrmTest;

my $publisher = new_server('publisher', allows_streaming => 'logical');
new_database($publisher, 'shop');
my @owner = (extra_params => [ '-U', 'crm_owner' ]);
$publisher->safe_psql('postgres', 'GRANT CREATE ON DATABASE shop TO crm_owner');
$publisher->safe_psql('shop', <<'SQL', @owner);
INSERT INTO crm.customer (customer_id, name, birth_date, attributes) SELECT n, 'C' || n, '1980-01-01', '{}' FROM generate_series(1, 40) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT customer_id, 'email', 'c' || customer_id || '@example.org' FROM crm.customer;
INSERT INTO crm.customer_territory (customer_id, territory) SELECT n, (CASE WHEN n <= 10 THEN 'de.west' WHEN n <= 20 THEN 'de.east' WHEN n <= 30 THEN 'fr' ELSE 'it' END)::ltree FROM generate_series(1, 40) AS n;
INSERT INTO crm.partner (partner_id, name, position) VALUES (1, 'A', 'retailer'), (2, 'B', 'retailer');
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) VALUES
    (1, 'de', 'accountable: sell', '[2020-01-01,)'), (2, 'fr', 'accountable: sell', '[2020-01-01,)');
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, subject, body, partner_id)
SELECT customer_id, 'email', 'outbound', 'replied', 'secret subject', 'secret body', 2 FROM crm.customer;
INSERT INTO crm.purchase (customer_id, purchased_at, amount, product, partner_id) SELECT customer_id, '2024-01-01', 31415926, 'pen', 2 FROM crm.customer;
SQL
is($publisher->safe_psql('shop', "SELECT crm.create_partner_publication(1, 'for_a')", @owner), 2, 'a publication of the two audiences of A');

my $subscriber = new_server('partner', allows_streaming => 'logical');
new_database($subscriber, 'own');
# What a purchase was for is the publisher's.
$subscriber->safe_psql('own', 'SELECT crm.remove_defaults(); ALTER TABLE crm.purchase ALTER COLUMN amount DROP NOT NULL', @owner);
is($subscriber->safe_psql('own', 'SELECT (SELECT count(*) FROM crm.channel_policy) + (SELECT count(*) FROM crm.installation) + (SELECT count(*) FROM crm.access_table)', @owner),
	0, 'nothing of its own stands in the way');

sub subscribe
{
	$subscriber->safe_psql('own', sprintf('CREATE SUBSCRIPTION a CONNECTION $$%s$$ PUBLICATION for_a', $publisher->connstr('shop')));
	$subscriber->wait_for_subscription_sync($publisher, 'a', 'own');
	return;
}

# Which customers are there, in each of the four tables: the same everywhere, or each by itself.
sub customers
{
	$publisher->wait_for_catchup('a');
	return $subscriber->safe_psql('own', join(' UNION ', map { "SELECT coalesce(string_agg(DISTINCT customer_id::text, ',' ORDER BY customer_id::text), 'none') FROM crm.$_" } qw(customer contact_point interaction purchase)));
}

subscribe();
my $first = join(',', sort 1 .. 20);
is(customers(), $first, 'the partner\'s customers arrive, with what is known of them');
is($subscriber->safe_psql('own', "SELECT count(*) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' AND relname NOT IN ('customer', 'contact_point', 'interaction', 'purchase') "
	. "AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM crm.%I', relname), false, true, '')))[1]::text <> '0'"), 0, 'and nothing else');
is($subscriber->safe_psql('own', q{SELECT count(*) FROM (SELECT c::text AS t FROM crm.customer AS c UNION ALL SELECT i::text FROM crm.interaction AS i UNION ALL SELECT p::text FROM crm.purchase AS p) AS x
	WHERE t ~ 'secret|31415926|1980-'}), 0, 'of contacts and purchases not what was said, by whom or for how much');
is($subscriber->safe_psql('own', 'SELECT count(*) FROM crm.interaction WHERE partner_id IS NOT NULL OR agent IS NOT NULL'), 0, 'nor whose they were');

# Every change of a row that it has, and none of another.
$publisher->safe_psql('shop', <<'SQL', @owner);
UPDATE crm.customer SET name = name || ' new' WHERE customer_id IN (1, 21);
INSERT INTO crm.purchase (customer_id, purchased_at, amount, product) VALUES (2, '2024-02-01', 1, 'ink'), (22, '2024-02-01', 1, 'ink');
DELETE FROM crm.interaction WHERE customer_id IN (3, 23);
INSERT INTO crm.interaction (customer_id, channel, direction, outcome) VALUES (3, 'phone', 'inbound', 'replied'), (23, 'phone', 'inbound', 'replied');
SQL
is(customers(), $first, 'changes of others\' customers stay away');
is($subscriber->safe_psql('own', "SELECT (SELECT string_agg(name, ',') FROM crm.customer WHERE name ~ 'new') || (SELECT string_agg(customer_id::text, ',') FROM crm.purchase WHERE product = 'ink') "
	. "|| (SELECT string_agg(channel::text, ',') FROM crm.interaction WHERE customer_id = 3)"), 'C1 new2phone', 'those of its own arrive');

# Who moves away is deleted there, who moves towards it comes, between its own two audiences he stays.
$publisher->safe_psql('shop', <<'SQL', @owner);
UPDATE crm.customer_territory SET territory = 'fr' WHERE customer_id = 1;
UPDATE crm.customer_territory SET territory = 'de.east' WHERE customer_id IN (2, 21);
DELETE FROM crm.customer_territory WHERE customer_id = 3;
DELETE FROM crm.interaction WHERE customer_id = 4;
DELETE FROM crm.purchase WHERE customer_id = 4;
DELETE FROM crm.customer WHERE customer_id = 4;
SQL
is(customers(), join(',', sort 2, 5 .. 21), 'who moves away goes, who moves towards it comes, each with all that is known of him');

# What it answers for changes: the publication is as it was made until it is made again, and then new from the start.
$publisher->safe_psql('shop', <<'SQL', @owner);
UPDATE crm.partner_responsibility SET partner_id = 3 - partner_id WHERE territory = 'fr';
UPDATE crm.partner_responsibility SET territory = 'de.west' WHERE territory = 'de';
SQL
is($publisher->safe_psql('shop', "SELECT crm.create_partner_publication(1, 'for_a')", @owner), 2, 'one audience lost, one gained');
$publisher->safe_psql('shop', "UPDATE crm.customer SET name = 'later' WHERE customer_id IN (11, 22)", @owner);
customers();
is($subscriber->safe_psql('own', "SELECT count(*) FROM crm.customer WHERE name = 'later'"), 0, 'of the lost ones nothing more comes, of the gained ones not what was there before');
$subscriber->safe_psql('own', 'DROP SUBSCRIPTION a; TRUNCATE crm.customer, crm.contact_point, crm.interaction, crm.purchase CASCADE');
subscribe();
is(customers(), join(',', sort 1, 5 .. 10, 22 .. 30), 'subscribed anew, it has what it answers for now');
$publisher->safe_psql('shop', "TRUNCATE crm.purchase", @owner);
$publisher->wait_for_catchup('a');
is($subscriber->safe_psql('own', 'SELECT count(*) FROM crm.purchase'), 0, 'a TRUNCATE arrives too');
$subscriber->stop;
$publisher->stop;
done_testing();
