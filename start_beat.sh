#!/usr/bin/env bash
# Runs Celery beat in the foreground: rings for the sweeps. One is enough; two do no harm.
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    echo "usage: ./start_beat.sh"
    echo "Run ./start.sh --setup once before."
    exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/deploy/environment.sh"
[ $# -eq 0 ] || centro_fail "unknown argument '$1'; see --help"
centro_configure
centro_exec "$centro_python" -m celery --app centro.celery --quiet --skip-checks beat \
    --pidfile= --loglevel "$centro_log_level"
