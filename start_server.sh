#!/usr/bin/env bash
# Runs the web server in the foreground: pages, API and websockets on one port.
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    echo "usage: ./start_server.sh [--host ADDRESS] [--port NUMBER]"
    echo "Defaults: CENTRO_HOST (127.0.0.1) and CENTRO_PORT (8000). Run ./start.sh --setup once before."
    exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/deploy/environment.sh"
centro_address "$@"
centro_configure
# A websocket is a connection that stays, so many more of them may be open at a time than are being answered.
centro_exec "$centro_python" -m granian --interface asgi --http 1 --loop uvloop \
    --host "$centro_host" --port "$centro_port" \
    --workers "$centro_web_processes" --backlog 4096 --backpressure 4096 \
    --respawn-failed-workers --workers-kill-timeout 10 \
    --log-level warning \
    centro.asgi:application
