#!/usr/bin/env bash
# Separated responsibilities: what the constraint costs, how fast customers are resolved, many sessions that want the same.
#
#   test/bench/partner.sh [responsibilities]     by customers, three duties each (default 600000)
#
# Needs a server where crm is installed, reached by the PG* environment variables; makes and drops database crm_bench_partner.
set -euo pipefail
rows=${1:-600000}
customers=$((rows / 3))
export PGDATABASE=crm_bench_partner PGOPTIONS='-c client_min_messages=warning -c synchronous_commit=off -c jit=off -c max_parallel_workers_per_gather=0'
dir=$(mktemp -d)
trap 'rm -rf "$dir"; PGDATABASE=postgres dropdb --if-exists crm_bench_partner 2>/dev/null' EXIT

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
seconds() { local begin end; begin=$(date +%s.%N); "$@" >/dev/null; end=$(date +%s.%N); echo "$begin $end" | awk '{ printf "%.3f", $2 - $1 }'; }

PGDATABASE=postgres dropdb --if-exists crm_bench_partner 2>/dev/null
PGDATABASE=postgres createdb crm_bench_partner
sql -c 'CREATE EXTENSION crm CASCADE' -c 'SELECT crm.setup()' >/dev/null
sql <<SQL
INSERT INTO crm.customer (customer_id, name) SELECT g, 'customer ' || g FROM generate_series(1, $customers) AS g;
INSERT INTO crm.partner (partner_id, name, position) SELECT g, 'partner ' || g, 'retailer' FROM generate_series(1, 200) AS g;
INSERT INTO crm.customer_territory SELECT g, ('eu.c' || g % 10 || '.r' || g % 100)::ltree FROM generate_series(1, $customers) AS g;
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid)
SELECT 1 + g % 200, ('eu.c' || g % 10 || '.r' || g % 100)::ltree, 'accountable: deliver, sell, collect', '[2020-01-01,)' FROM generate_series(0, 99) AS g;
CREATE TABLE bare (LIKE crm.partner_responsibility INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS);
ALTER TABLE bare ADD PRIMARY KEY (responsibility_id), ADD FOREIGN KEY (partner_id) REFERENCES crm.partner, ADD FOREIGN KEY (customer_id) REFERENCES crm.customer;
CREATE INDEX ON bare (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX ON bare (partner_id);
CREATE INDEX ON bare ((coalesce(territory::text, ''))) WHERE customer_id IS NULL;
VACUUM ANALYZE;
CHECKPOINT;
SQL
rows_of="(partner_id, customer_id, duty, valid) SELECT 1 + (g * 7) % 200, 1 + g % $customers, (ARRAY['accountable: sell', 'accountable: service', 'accountable: market'])[1 + g / $customers]::crm.responsibility, '[2020-01-01,)' FROM generate_series(0, $((customers * 3 - 1))) AS g"
bare=$(seconds sql -c "INSERT INTO bare $rows_of")
# What keeps the audiences of row-level security is another's cost.
sql -c 'ALTER TABLE crm.partner_responsibility DISABLE TRIGGER USER' -c 'ALTER TABLE crm.partner_responsibility ENABLE TRIGGER partner_responsibility_before'
full=$(seconds sql -c "INSERT INTO crm.partner_responsibility $rows_of")
sql -c 'ALTER TABLE crm.partner_responsibility ENABLE TRIGGER USER' -c 'DROP TABLE bare' -c 'VACUUM ANALYZE'
awk -v n="$((customers * 3))" -v b="$bare" -v f="$full" 'BEGIN { printf "insert of %d: without constraint %.1f s (%d a second), with %.1f s (%d a second), ratio %.2f\n", n, b, n / b, f, n / f, f / b }'

echo "resolving 10,000 customers by crm.responsible_partner(): $(seconds sql -c "SELECT count(crm.responsible_partner(1 + g * 17 % $customers, 'sell')) FROM generate_series(1, 10000) AS g") s"
echo "by crm.customer_responsibility, every duty: $(seconds sql -c "SELECT count(*) FROM crm.customer_responsibility WHERE customer_id = ANY (ARRAY(SELECT 1 + g * 17 % $customers FROM generate_series(1, 10000) AS g))") s"
echo "every customer and duty: $(seconds sql -c 'SELECT count(*) FROM crm.customer_responsibility') s"

# Eight sessions want the same twenty customers.
sql <<'SQL'
CREATE SEQUENCE taken; CREATE SEQUENCE refused; CREATE SEQUENCE deadlocked;
CREATE FUNCTION take(c bigint, p bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crm.partner_responsibility (partner_id, customer_id, duty, valid) VALUES (p, c, 'accountable: retain', '[2020-01-01,)');
    PERFORM nextval('taken');
EXCEPTION
    WHEN exclusion_violation THEN PERFORM nextval('refused');
    WHEN deadlock_detected THEN PERFORM nextval('deadlocked');
END $$;
SQL
printf '\\set c random(1, 20)\n\\set p random(1, 200)\nSELECT take(:c, :p);\n' >"$dir/take.sql"
echo "8 sessions, 20 customers, 12000 tries: $(seconds pgbench -n -c 8 -j 2 -t 1500 -M prepared -f "$dir/take.sql") s"
sql -c "SELECT format('taken %s, refused %s, deadlocks %s', (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM taken), (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refused), (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM deadlocked))"

# Credit, set by set.
sql <<SQL
SET crm.loop = deferred;
INSERT INTO crm.purchase (customer_id, purchased_at, amount) SELECT 1 + g % $customers, now() - interval '1 day' * (1 + g % 300), 10 FROM generate_series(1, $rows / 3) AS g;
INSERT INTO crm.interaction (customer_id, channel, direction, outcome, occurred_at, partner_id)
SELECT 1 + g * 7 % $customers, 'phone', 'outbound', 'reached', now() - interval '1 day' * (1 + g % 300), CASE WHEN g % 3 > 0 THEN 1 + g % 200 END FROM generate_series(1, $rows / 3) AS g;
VACUUM ANALYZE;
SQL
for credit in responsibility time_decay; do
    echo "credit of $((rows / 3)) purchases by $credit: $(seconds sql -c "SELECT count(*) FROM crm.partner_credit(tstzrange(now() - interval '365 days', now()), '$credit')") s"
done
echo "scorecard of 200 partners: $(seconds sql -c 'SELECT sum(customers), sum(contacts), sum(revenue), sum(offers), sum(objectives) FROM crm.partner_scorecard') s"
