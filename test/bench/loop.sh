#!/usr/bin/env bash
# The cost of the feedback loop, as ratios within one run.
#
#   test/bench/loop.sh [rows]     rows of the load (default 1000000, over a tenth as many customers)
#
# Needs a server where crm is installed, reached by the PG* environment variables; makes and drops database crm_bench.
# Prints one line per measurement: what, seconds of each side, ratio.
set -euo pipefail
rows=${1:-1000000}
customers=$((rows / 10))
rounds=${ROUNDS:-3}
export PGDATABASE=crm_bench PGOPTIONS='-c client_min_messages=warning -c synchronous_commit=off -c max_parallel_workers_per_gather=0'
dir=$(mktemp -d)
trap 'rm -rf "$dir"; PGDATABASE=postgres dropdb --if-exists crm_bench 2>/dev/null' EXIT

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
seconds() { local begin end; begin=$(date +%s.%N); "$@" >/dev/null; end=$(date +%s.%N); echo "$begin $end" | awk '{ printf "%.3f", $2 - $1 }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

PGDATABASE=postgres dropdb --if-exists crm_bench 2>/dev/null
PGDATABASE=postgres createdb crm_bench
sql -c 'CREATE EXTENSION crm CASCADE' -c 'SELECT crm.setup()' >/dev/null
sql -c "INSERT INTO crm.customer (name) SELECT 'customer ' || g FROM generate_series(1, $customers) AS g"

# The facts, as a file that COPY reads: six channels, both directions, two years.
sql -c "SELECT setseed(0.5)" -c "\\copy (SELECT 1 + floor(random() * $customers)::bigint, (enum_range(NULL::crm.channel))[1 + floor(power(random(), 2) * 6)::int], CASE WHEN random() < 0.2 THEN 'inbound' ELSE 'outbound' END, (enum_range(NULL::crm.outcome))[1 + floor(random() * 11)::int], timestamptz '2024-01-01 00:00+00' + random() * interval '700 days' AS t FROM generate_series(1, $rows) ORDER BY t) TO '$dir/facts'"
columns='customer_id, channel, direction, outcome, occurred_at'

# The same table with the same keys and indexes, without triggers; and with the usual row trigger in plpgsql.
make_tables() {
    sql <<'SQL'
DROP TABLE IF EXISTS bare, rowwise, rowwise_score;
CREATE TABLE bare (LIKE crm.interaction INCLUDING ALL);
ALTER TABLE bare ADD FOREIGN KEY (customer_id) REFERENCES crm.customer, ADD FOREIGN KEY (partner_id) REFERENCES crm.partner, ADD FOREIGN KEY (contact_point_id) REFERENCES crm.contact_point ON DELETE SET NULL;
CREATE TABLE rowwise (LIKE bare INCLUDING ALL);
ALTER TABLE rowwise ADD FOREIGN KEY (customer_id) REFERENCES crm.customer, ADD FOREIGN KEY (partner_id) REFERENCES crm.partner, ADD FOREIGN KEY (contact_point_id) REFERENCES crm.contact_point ON DELETE SET NULL;
CREATE TABLE rowwise_score (customer_id bigint, channel crm.channel, score crm.channel_score NOT NULL, interactions bigint NOT NULL,
    last_outbound_at timestamptz, last_inbound_at timestamptz, PRIMARY KEY (customer_id, channel)) WITH (fillfactor = 80);
CREATE OR REPLACE FUNCTION rowwise_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rowwise_score AS t
    SELECT new.customer_id, new.channel, crm.channel_score(e.success, e.failure, new.occurred_at, p.half_life), 1,
           CASE WHEN new.direction = 'outbound' THEN new.occurred_at END, CASE WHEN new.direction = 'inbound' THEN new.occurred_at END
    FROM crm.outcome_effect AS e, crm.channel_policy AS p
    WHERE e.direction = new.direction AND e.outcome = new.outcome AND p.channel = new.channel
    ON CONFLICT (customer_id, channel) DO UPDATE SET score = t.score OPERATOR(crm.+) excluded.score, interactions = t.interactions + 1,
        last_outbound_at = greatest(t.last_outbound_at, excluded.last_outbound_at),
        last_inbound_at = greatest(t.last_inbound_at, excluded.last_inbound_at);
    RETURN NULL;
END $$;
CREATE TRIGGER rowwise AFTER INSERT ON rowwise FOR EACH ROW EXECUTE FUNCTION rowwise_trigger();
TRUNCATE crm.interaction;
CHECKPOINT;
SQL
}
# What the loop costs, against the bare table; $1: words for what it is measured with.
measure() {
    local with=$1 t table bare loop row b l
    : >"$dir/bare"; : >"$dir/loop"; : >"$dir/row"
    for _ in $(seq "$rounds"); do
        make_tables
        seconds sql -c "\\copy bare ($columns) FROM '$dir/facts'" >>"$dir/bare"; echo >>"$dir/bare"
        sql -c CHECKPOINT
        seconds sql -c "\\copy crm.interaction ($columns) FROM '$dir/facts'" >>"$dir/loop"; echo >>"$dir/loop"
        if [ -z "${SKIP_ROWWISE:-}" ] && [ -z "$with" ]; then
            sql -c CHECKPOINT
            seconds sql -c "\\copy rowwise ($columns) FROM '$dir/facts'" >>"$dir/row"; echo >>"$dir/row"
        fi
    done
    bare=$(median <"$dir/bare"); loop=$(median <"$dir/loop")
    echo "load of $rows interactions$with: bare $bare s, loop $loop s, ratio $(ratio "$loop" "$bare")"
    if [ -s "$dir/row" ]; then
        row=$(median <"$dir/row")
        awk -v b="$bare" -v l="$loop" -v r="$row" 'BEGIN { printf "the loop alone: %.2f s; a plpgsql row trigger alone: %.2f s; %.1f times\n", l - b, r - b, (r - b) / (l - b) }'
    fi
    sql -c 'SELECT relation || $$: $$ || customers || $$ customers, $$ || differing || $$ differ$$ FROM crm.verify()'

    # One interaction per transaction.
    cat >"$dir/one.sql" <<SQL
\\set c random(1, $customers)
INSERT INTO :t (customer_id, channel, direction, outcome) VALUES (:c, 'phone', 'outbound', 'reached');
SQL
    : >"$dir/one_bare"; : >"$dir/one_loop"
    for _ in $(seq "$rounds"); do
        for t in bare loop; do
            table=$([ $t = bare ] && echo bare || echo crm.interaction)
            sed "s/:t/$table/" "$dir/one.sql" >"$dir/run.sql"
            pgbench -n -c 2 -j 2 -T "${SECONDS_EACH:-5}" -M prepared -f "$dir/run.sql" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p' >>"$dir/one_$t"
        done
    done
    b=$(median <"$dir/one_bare"); l=$(median <"$dir/one_loop")
    echo "one interaction per transaction$with: bare $b tps, loop $l tps, ratio $(ratio "$b" "$l")"
}
measure ""
if [ -z "${SKIP_ACCESS:-}" ]; then
    # Row security decides for a partner's login, each fact has its customer's audience, and the bare table has the index by it, too.
    sql <<SQL >/dev/null
DO \$\$ BEGIN CREATE ROLE crm_bench_partner; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
INSERT INTO crm.partner (partner_id, name, position) SELECT i, 'P' || i, 'retailer' FROM generate_series(1, 20) AS i;
INSERT INTO crm.partner_responsibility (partner_id, territory, duty, valid) SELECT i, ('t' || i)::ltree, 'accountable: sell', '[2020-01-01,)' FROM generate_series(1, 20) AS i;
TRUNCATE crm.interaction;
INSERT INTO crm.customer_territory SELECT i, ('t' || i % 20 + 1)::ltree FROM generate_series(1, $customers) AS i;
SELECT crm.grant_access('crm_bench_partner', 'partner', 7);
SQL
    measure ", partners having access"
fi

# A timeline page.
sql -c 'VACUUM ANALYZE crm.interaction'
cat >"$dir/page.sql" <<SQL
\\set c random(1, $customers)
SELECT interaction_id, occurred_at, channel, direction, outcome, subject FROM crm.interaction
WHERE customer_id = :c ORDER BY occurred_at DESC, interaction_id DESC LIMIT 50;
SQL
pgbench -n -c 1 -T 3 -M prepared -f "$dir/page.sql" 2>/dev/null | sed -n 's/^latency average = \(.*\)/timeline page of 50: \1/p'
