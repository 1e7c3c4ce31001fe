# Sourced by every start script: finds the code and the virtual environment, reads the configuration.
# Sets centro_root, centro_venv, centro_python, and what `python -m centro.config shell` prints.
# The names are in lower case because the configuration refuses CENTRO_ variables that it does not know.

centro_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
centro_venv=${CENTRO_VENV:-$centro_root/.venv}
centro_python=$centro_venv/bin/python
export centro_root
# Set in some containers; then each of the processes would compile all of Centro anew at every start.
unset PYTHONDONTWRITEBYTECODE
cd "$centro_root" || exit 1

centro_fail() {
    printf 'centro: %s\n' "$*" >&2
    exit 1
}

# --host and --port of start.sh and start_server.sh; they win over the environment.
centro_address() {
    while [ $# -gt 0 ]; do
        case $1 in
            --host | --port)
                [ $# -ge 2 ] || centro_fail "$1 needs a value; see --help"
                [ "$1" = --host ] && export CENTRO_HOST=$2 || export CENTRO_PORT=$2
                shift 2
                ;;
            --host=*) export CENTRO_HOST=${1#*=} && shift ;;
            --port=*) export CENTRO_PORT=${1#*=} && shift ;;
            *) centro_fail "unknown argument '$1'; see --help" ;;
        esac
    done
}

# Arguments: those of `python -m centro.config shell`. Under start.sh the values are in the environment already.
centro_configure() {
    [ -z "${centro_supervised:-}" ] || return 0
    [ -x "$centro_python" ] || centro_fail "$centro_venv does not exist yet: run ./start.sh --setup first"
    local values
    values=$("$centro_python" -m centro.config shell "$@") || exit 1
    set -a
    eval "$values"
    set +a
}

# A process ends with its parent even when that is killed outright, so a crashed supervisor leaves nothing.
centro_exec() {
    if [ -n "${centro_supervised:-}" ] && command -v setpriv >/dev/null; then
        exec setpriv --pdeathsig TERM -- "$@"
    fi
    exec "$@"
}

# Starts a command beside the script, with its output in the supervisor's log; its pid is in centro_pid.
centro_background() {
    (centro_supervised=yes && centro_exec "$@") </dev/null >>"$centro_var/log/supervisor.log" 2>&1 &
    centro_pid=$!
}
