#!/usr/bin/env bash
# Sets up Centro and runs it in the foreground. Everything is repeated safely at every start.
set -u

usage() {
    cat <<'TEXT'
usage: ./start.sh [--host ADDRESS] [--port NUMBER] [--setup]

Sets up what is missing (virtual environment, packages, secrets, database, static files, first
administrator, example site), then runs Redis, worker, beat and web server until Ctrl-C.

  --host ADDRESS  address to listen on (default 127.0.0.1; 0.0.0.0 for all)
  --port NUMBER   port to listen on (default 8000)
  --setup         set up or update everything, start nothing (for systemd, PM2 or your own supervisor)
  --help          this text

Settings: docs/configuration.md. State: var/ (CENTRO_VAR). Logs: var/log/.
TEXT
}

setup_only=no
arguments=()
for argument in "$@"; do
    case $argument in
        --help | -h) usage && exit 0 ;;
        --setup) setup_only=yes ;;
        *) arguments+=("$argument") ;;
    esac
done
. "$(dirname "${BASH_SOURCE[0]}")/deploy/environment.sh"
centro_address ${arguments[@]+"${arguments[@]}"}
. "$centro_root/deploy/setup.sh"

centro_setup
if [ "$setup_only" = yes ]; then
    "$centro_python" -m centro.launch login
    echo "Centro is set up. Start: ./start_server.sh, ./start_worker.sh, ./start_beat.sh"
    exit 0
fi

supervisor=
waiter=
signalled=no
stop() {
    signalled=yes
    [ -z "$waiter" ] || kill "$waiter" 2>/dev/null
    [ -z "$supervisor" ] || kill -TERM "$supervisor" 2>/dev/null
}
trap stop INT TERM HUP

unset CENTRO_ADMIN_PASSWORD # neither the processes nor the jobs they start need it
export centro_supervised=yes
centro_background "$centro_venv/bin/supervisord" --configuration "$centro_root/deploy/supervisor/supervisord.conf"
supervisor=$centro_pid

missing_file=$centro_run_dir/missing
centro_background "$centro_python" -m centro.launch wait "$supervisor" 120 "$missing_file"
waiter=$centro_pid
wait "$waiter"
ready=$?
waiter=
if [ "$signalled" = no ]; then
    if [ "$ready" -eq 0 ]; then
        "$centro_python" -m centro.launch banner
    else
        kill -TERM "$supervisor" 2>/dev/null
    fi
fi
# `wait` returns early when a signal arrives, so it is repeated until the supervisor has ended.
code=0
while kill -0 "$supervisor" 2>/dev/null; do
    wait "$supervisor"
    code=$?
done
if [ "$signalled" = no ]; then
    [ "$ready" -eq 0 ] || centro_fail "did not become ready ($(cat "$missing_file")): see $centro_var/log/"
    centro_fail "the supervisor ended unexpectedly (exit code $code): see $centro_var/log/supervisor.log"
fi
echo "Centro has stopped"
