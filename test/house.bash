# The house that tests, demo and benchmarks run in; to be sourced by bash.
#
#   house_build NAME          installs what is missing, then builds crm and installs it into a private copy of PostgreSQL
#   house_start DIR SETTING…  creates and starts a server on socket directory DIR/socket, without TCP
#   house_stop DIR            stops it
#   as_user COMMAND…          runs a command as the unprivileged user that owns all of it (PostgreSQL refuses root)
#
# house_build sets: root (the repository), work (a directory of our own, owned by that user), src (its copy of the
# repository: a clone may lie where the user can't read), pg_config, bindir, pgxs (directories of the private copy).

# What is set for the caller's own server (PGPORT and the like) is not meant for ours.
for variable in $(compgen -e PG); do
    case $variable in PG_*) ;; *) unset "$variable" ;; esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

house_fail() {
    echo "$*" >&2
    exit 1
}

as_user() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u "$house_user" -- env -C "$work" HOME="$work" "$@"
    else
        env -C "$work" "$@"
    fi
}

# The user: whoever calls, or for root the system's postgres, or one that we make.
house_find_user() {
    house_user=$(id -un)
    [ "$(id -u)" = 0 ] || return 0
    house_user=postgres
    id -u postgres >/dev/null 2>&1 || house_user=crm-test
    id -u "$house_user" >/dev/null 2>&1 ||
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$house_user"
}

# A fresh directory that the user owns and whose path is short enough for a socket.
house_make_work() {
    local parent
    for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
        [ -d "$parent" ] && [ ${#parent} -lt 60 ] || continue
        work=$(mktemp -d "$parent/crm-$1.XXXXXX") || continue
        chmod 755 "$work"
        [ "$(id -u)" != 0 ] || chown "$house_user:" "$work"
        if as_user true 2>/dev/null; then
            return
        fi
        rmdir "$work"
    done
    house_fail "no directory for temporary files that user $house_user can use"
}

# What belongs to the repository: with git its own files and new ones, without git everything but what is built.
house_copy() {
    mkdir "$src"
    if git -C "$root" ls-files >/dev/null 2>&1; then
        git -C "$root" ls-files -z --cached --others --exclude-standard |
            while IFS= read -r -d '' file; do [ ! -e "$root/$file" ] || printf '%s\0' "$file"; done |
            tar -C "$root" --null --no-recursion -T - -cf - | tar -C "$src" --no-same-owner -xf -
    else
        tar -C "$root" --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . |
            tar -C "$src" --no-same-owner -xf -
    fi
    if [ "$(id -u)" = 0 ]; then
        chown -R "$house_user:" "$src"
    fi
}

house_build() {
    local system
    system=$("$root/test/install")
    house_find_user
    house_make_work "$1"
    src=$work/src
    house_copy
    pg_config=$(as_user env PG_CONFIG="$system" sh "$src/test/tree" "$work/tree")
    bindir=$("$pg_config" --bindir)
    pgxs=$(dirname "$(dirname "$(dirname "$("$pg_config" --pgxs)")")")
    # Warnings are told apart from errors: what builds is tested, and the warnings count as a failure of their own.
    house_warnings=
    if ! as_user make -C "$src" -s -j "$(nproc)" PG_CONFIG="$pg_config" with_llvm=no strict >"$work/strict.log" 2>&1; then
        house_warnings=$work/strict.log
        as_user make -C "$src" -s -j "$(nproc)" PG_CONFIG="$pg_config" with_llvm=no all >"$work/build.log" 2>&1 ||
            { cat "$work/build.log" >&2; house_fail "crm does not build"; }
    fi
    as_user make -C "$src" -s PG_CONFIG="$pg_config" with_llvm=no install >"$work/build.log" 2>&1 ||
        { cat "$work/build.log" >&2; house_fail "crm can't be installed"; }
}

house_start() {
    local dir=$1 setting
    shift
    as_user mkdir -p "$dir/socket"
    if [ ! -d "$dir/data" ]; then
        as_user "$bindir/initdb" -D "$dir/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
            { cat "$dir/initdb.log" >&2; house_fail "no server could be created in $dir"; }
        for setting in "listen_addresses = ''" "unix_socket_directories = '$dir/socket'" "$@"; do
            echo "$setting"
        done | as_user tee -a "$dir/data/postgresql.conf" >/dev/null
    fi
    as_user "$bindir/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 120 -s start ||
        { tail -n 20 "$dir/server.log" >&2; house_fail "no server could be started in $dir"; }
}

house_stop() {
    as_user "$bindir/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -s stop
}

# Stops every server below $work, also one that a killed test left, and removes the directory.
house_end() {
    local pid
    [ -n "${work:-}" ] && [ -d "$work" ] || return 0
    find "$work" -name postmaster.pid 2>/dev/null | while read -r file; do
        pid=$(head -n 1 "$file")
        [ -z "$pid" ] || kill -QUIT "$pid" 2>/dev/null || true
    done
    rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }
}
