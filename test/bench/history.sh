#!/usr/bin/env bash
# Buying histories from purchases, against plain SQL over the same rows, as ratios within one run.
#
#   test/bench/history.sh [purchases]     default 10000000, of 0.154 times as many customers, over two years, in random order
#
# Plain SQL computes count(distinct day), min, max and sum, which is less than a history: it lacks the first day's sum.
# Both sides run in turn under the same settings, ROUNDS times (default 3). SETTINGS chooses among them:
#   default    the server's work_mem of 4 MB, no parallel workers: the planner hashes for crm, and has to sort for plain SQL
#   parallel   the same with two workers
#   sorted     64 MB, hashing off: both sort
#   memory     2 GB: crm's groups are hashed all at once, which is bound by cache misses of the executor's hash table
#
# Needs a server where crm is installed, reached by the PG* environment variables; makes and drops database crm_bench.
# One line per measurement: what, median seconds of plain SQL and of crm, ratio; and the same of the leader's CPU seconds,
# which suffer less from what else runs on the machine (they leave out parallel workers). Below 1, crm is faster.
set -euo pipefail
rows=${1:-10000000}
rounds=${ROUNDS:-3}
settings=${SETTINGS:-default parallel sorted memory}
export PGDATABASE=crm_bench PGOPTIONS='-c client_min_messages=warning -c jit=off'
trap 'PGDATABASE=postgres dropdb --if-exists crm_bench' EXIT

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

declare -A set=(
    [default]="SET work_mem = '4MB'; SET max_parallel_workers_per_gather = 0"
    [parallel]="SET work_mem = '4MB'; SET max_parallel_workers_per_gather = 2; SET min_parallel_table_scan_size = 0"
    [sorted]="SET work_mem = '64MB'; SET max_parallel_workers_per_gather = 0; SET enable_hashagg = off"
    [memory]="SET work_mem = '2GB'; SET max_parallel_workers_per_gather = 0"
)

# Runs one query under settings; prints its elapsed and its CPU seconds, and what it found.
run() {
    sql -c "${set[$1]}" -c 'SET log_executor_stats = on' -c 'SET client_min_messages = log' -c "$2" 2>&1 |
        awk '/ s user, .* s elapsed/ && !seen { for (i = 2; i < NF; i++) { if ($(i + 2) ~ /^user/) u = $i; if ($(i + 2) ~ /^system/) s = $i; if ($(i + 2) ~ /^elapsed/) e = $i } }
             /^[0-9]+\|/ { found = $0 }
             END { printf "%.3f %.3f %s\n", e, u + s, found }'
}

PGDATABASE=postgres dropdb --if-exists crm_bench
PGDATABASE=postgres createdb crm_bench
sql -v rows="$rows" >/dev/null <<'SQL'
CREATE EXTENSION crm CASCADE;
SELECT setseed(0.25);
CREATE UNLOGGED TABLE purchase AS
SELECT 1 + floor(random() * 0.1539123 * :rows)::bigint AS customer_id,
       timestamptz '2023-01-01 00:00+00' + random() * interval '730 days' AS purchased_at, a AS amount8, a::numeric(12,2) AS amount
FROM (SELECT floor(random() * 20000) / 100 + 0.99 AS a FROM generate_series(1, :rows)) AS s;
VACUUM ANALYZE purchase;
SQL

printf '%-24s %10s %10s %7s   %10s %10s %7s\n' 'amounts, settings' 'SQL s' 'crm s' ratio 'SQL CPU' 'crm CPU' ratio
for setting in $settings; do
    for amount in amount8 amount; do
        plain=()
        crm=()
        for _ in $(seq "$rounds"); do
            plain+=("$(run "$setting" "SELECT count(*), sum(days) FROM (SELECT customer_id, count(DISTINCT (purchased_at AT TIME ZONE 'UTC')::date) AS days, min(purchased_at), max(purchased_at), sum($amount) FROM purchase GROUP BY customer_id OFFSET 0) AS s")")
            crm+=("$(run "$setting" "SELECT count(*), sum(crm.purchase_days(h)) FROM (SELECT customer_id, crm.buying_history(purchased_at, $amount) AS h FROM purchase GROUP BY customer_id OFFSET 0) AS s")")
        done
        [ "${plain[0]##* }" = "${crm[0]##* }" ] || { echo "different results: ${plain[0]} and ${crm[0]}" >&2; exit 1; }
        column() { local n=$1; shift; printf '%s\n' "$@" | cut -d' ' -f"$n" | median; }
        p=$(column 1 "${plain[@]}") c=$(column 1 "${crm[@]}") pc=$(column 2 "${plain[@]}") cc=$(column 2 "${crm[@]}")
        name=float8
        [ $amount = amount ] && name=numeric
        printf '%-24s %10s %10s %7s   %10s %10s %7s\n' "$name, $setting" "$p" "$c" "$(ratio "$c" "$p")" "$pc" "$cc" "$(ratio "$cc" "$pc")"
    done
done
