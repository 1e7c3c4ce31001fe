#!/usr/bin/env bash
# Runs the Celery worker in the foreground: submission, polling, sweeps and transfers, in threads of one process.
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    echo "usage: ./start_worker.sh [--queues LIST]"
    echo "Queues: submit, poll, control, transfer (default: all). Threads: CENTRO_WORKER_THREADS."
    echo "Run ./start.sh --setup once before."
    exit 0
fi
queues=submit,poll,control,transfer
case ${1:-} in
    --queues) queues=${2:-} && shift 2 ;;
    --queues=*) queues=${1#*=} && shift ;;
esac
. "$(dirname "${BASH_SOURCE[0]}")/deploy/environment.sh"
[ $# -eq 0 ] || centro_fail "unknown argument '$1'; see --help"
for queue in ${queues//,/ }; do
    case $queue in
        submit | poll | control | transfer) ;;
        *) centro_fail "--queues: '$queue' is not a queue; expected submit, poll, control or transfer" ;;
    esac
done
[ -n "$queues" ] || centro_fail "--queues needs a value; see --help"
centro_configure
centro_exec "$centro_python" -m celery --app centro.celery --quiet --skip-checks worker \
    --pool threads --concurrency "$centro_worker_threads" --queues "$queues" \
    --without-gossip --without-mingle --without-heartbeat --loglevel "$centro_log_level"
