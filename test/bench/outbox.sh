#!/usr/bin/env bash
# The cost of the outbox, against a plain SKIP LOCKED queue without rules within the same run.
#
#   test/bench/outbox.sh [waiting]     messages waiting for the claims (default 1000000)
#
# Needs a server where crm is installed, reached by the PG* environment variables; makes and drops database
# crm_bench_outbox. SECONDS_EACH: how long each rate is taken (default 8).
set -euo pipefail
waiting=${1:-1000000}
seconds=${SECONDS_EACH:-8}
export PGDATABASE=crm_bench_outbox PGOPTIONS='-c client_min_messages=warning -c max_parallel_workers_per_gather=0'
dir=$(mktemp -d)
trap 'rm -rf "$dir"; PGDATABASE=postgres dropdb --if-exists crm_bench_outbox 2>/dev/null' EXIT

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

PGDATABASE=postgres dropdb --if-exists crm_bench_outbox 2>/dev/null
PGDATABASE=postgres createdb crm_bench_outbox
sql -c 'CREATE EXTENSION crm CASCADE' -c 'SELECT crm.setup()' >/dev/null
customers=$((waiting / 10))
# Every rule is asked: advertising by e-mail needs a consent, a cap that is far away is counted, and a daily quiet time that is not now.
sql <<SQL
UPDATE crm.channel_policy SET cap = 1000, cap_window = '7 days', quiet_from = (now() AT TIME ZONE 'UTC')::time - interval '3 hours',
    quiet_until = (now() AT TIME ZONE 'UTC')::time - interval '2 hours' WHERE channel = 'email';
INSERT INTO crm.customer (name, time_zone) SELECT 'customer ' || g, 'UTC' FROM generate_series(1, $customers) AS g;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT customer_id, 'email', 'c' || customer_id || '@example.org' FROM crm.customer;
INSERT INTO crm.consent (customer_id, channel, purpose, status) SELECT customer_id, 'email', 'marketing', 'granted' FROM crm.customer;
VACUUM ANALYZE;
SQL
echo "writing messages one statement each, and 1,000 in one:"
sql <<SQL
\\timing on
DO \$\$ BEGIN FOR i IN 1 .. 1000 LOOP INSERT INTO crm.message (customer_id, channel, purpose) VALUES (i, 'email', 'marketing'); END LOOP; END \$\$;
INSERT INTO crm.message (customer_id, channel, purpose) SELECT i, 'email', 'marketing' FROM generate_series(1001, 2000) AS i;
SQL

# The messages that wait are loaded past the triggers: writing them is not what is measured.
load() {
    sql <<SQL
SET session_replication_role = replica;
TRUNCATE crm.message, crm.message_event CASCADE;
TRUNCATE crm.interaction, crm.customer_channel;
INSERT INTO crm.message (customer_id, channel, contact_point_id, consent_id, purpose, priority, not_before, body)
SELECT p.customer_id, p.channel, p.contact_point_id, k.consent_id, 'marketing', 5, now() - (hashint8(g * 1000003 + p.customer_id) & 8191) * interval '1 second', 'offer'
FROM generate_series(1, ceil($1::numeric / $customers)::integer) AS g, crm.contact_point AS p JOIN crm.consent AS k USING (customer_id) LIMIT $1;
RESET session_replication_role;
DROP TABLE IF EXISTS queue;
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, priority smallint, not_before timestamptz, status text DEFAULT 'ready', token bigint DEFAULT 0,
    leased_until timestamptz, customer_id bigint, body text) WITH (fillfactor = 70);
CREATE INDEX ON queue (priority, not_before, id) WHERE status = 'ready';
CREATE INDEX ON queue (leased_until) WHERE status IN ('leased', 'sending');
CREATE OR REPLACE FUNCTION queue_claim(n integer) RETURNS TABLE (id bigint, token bigint) LANGUAGE sql AS \$\$
    UPDATE queue AS q SET status = 'leased', token = q.token + 1, leased_until = now() + interval '5 minutes'
    WHERE q.id = ANY (ARRAY(SELECT w.id FROM queue AS w WHERE w.status = 'ready' AND w.not_before <= now() ORDER BY w.priority, w.not_before, w.id LIMIT n FOR UPDATE SKIP LOCKED))
    RETURNING q.id, q.token
\$\$;
INSERT INTO queue (priority, not_before, customer_id, body) SELECT priority, not_before, customer_id, body FROM crm.message;
VACUUM ANALYZE crm.message, queue;
CHECKPOINT;
SQL
}

# In one session, each in a transaction of its own; the first, which plans and finds nothing in memory, is told apart.
load "$waiting"
{
    echo '\timing on'
    for _ in $(seq 22); do echo "SELECT count(*) FROM crm.claim_messages('{email}', 1000);"; done
} >"$dir/claim.sql"
sql -f "$dir/claim.sql" | awk -v waiting="$waiting" '
    /^Time/ { took[n++] = $2; next }
    $1 != 1000 { print "claimed " $1; exit 1 }
    END { first = took[0]; for (i = 1; i < n; i++) t[i] = took[i]
          for (i = 2; i < n; i++) for (j = i; j > 1 && t[j] < t[j - 1]; j--) { x = t[j]; t[j] = t[j - 1]; t[j - 1] = x }
          printf "claiming 1000 of %d waiting: median %.1f ms, best %.1f ms, the first %.1f ms\n", waiting, t[int(n / 2)], t[1], first }'

# Each step is a transaction of its own, as it must be for a sender.
crm_script() {
    cat <<SQL
SELECT coalesce(array_agg(message_id ORDER BY customer_id), '{}') AS ids, coalesce(array_agg(token ORDER BY customer_id), '{}') AS tokens FROM crm.claim_messages('{email}', $1) \\gset
SELECT count(*) FROM unnest(':ids'::bigint[], ':tokens'::bigint[]) AS n (id, token), LATERAL crm.begin_send(id, token);
SELECT count(*) FROM unnest(':ids'::bigint[], ':tokens'::bigint[]) AS n (id, token), LATERAL crm.complete_message(id, token);
SQL
}
# The same by a call for each batch.
crm_batch_script() {
    cat <<SQL
SELECT coalesce(array_agg(message_id ORDER BY customer_id), '{}') AS ids, coalesce(array_agg(token ORDER BY customer_id), '{}') AS tokens FROM crm.claim_messages('{email}', $1) \\gset
SELECT coalesce(array_agg(message_id), '{}') AS ids, coalesce(array_agg(token), '{}') AS tokens FROM crm.begin_sends(':ids', ':tokens') WHERE begun \\gset
SELECT count(*) FROM crm.complete_messages(':ids', ':tokens');
SQL
}
plain_script() {
    cat <<SQL
SELECT coalesce(array_agg(id), '{}') AS ids, coalesce(array_agg(token), '{}') AS tokens FROM queue_claim($1) \\gset
UPDATE queue AS q SET status = 'sending' FROM unnest(':ids'::bigint[], ':tokens'::bigint[]) AS n (id, token) WHERE q.id = n.id AND q.token = n.token AND q.status = 'leased';
UPDATE queue AS q SET status = 'sent', leased_until = NULL FROM unnest(':ids'::bigint[], ':tokens'::bigint[]) AS n (id, token) WHERE q.id = n.id AND q.token = n.token AND q.status = 'sending';
SQL
}
# Clients, batch, script: messages per second.
rate() {
    "$3" "$2" >"$dir/run.sql"
    pgbench -n -c "$1" -j 2 -T "$seconds" -M simple -f "$dir/run.sql" 2>"$dir/err" | sed -n 's/^tps = \([0-9.]*\).*/\1/p' | awk -v b="$2" '{ printf "%.0f", $1 * b }'
    ! grep -m 3 ERROR "$dir/err" >&2
}
for clients in 2 4; do
    load 400000
    for batch in 1 10 100; do
        plain=$(rate $clients $batch plain_script)
        crm=$(rate $clients $batch crm_script)
        batch_calls=$(rate $clients $batch crm_batch_script)
        echo "$clients clients, 400000 waiting, claimed by $batch: plain $plain, crm $crm messages per second, ratio $(ratio "$plain" "$crm");" \
            "by batch calls $batch_calls, ratio $(ratio "$plain" "$batch_calls")"
    done
    sql -c "SELECT format('  sent %s, of them more than once %s', count(*), count(*) FILTER (WHERE n > 1)) FROM (SELECT count(*) AS n FROM crm.interaction GROUP BY message_id) AS i"
done
