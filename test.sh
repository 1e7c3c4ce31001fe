#!/usr/bin/env bash
# Runs all tests: sets up what is missing, starts real servers, tests, stops everything again.
set -u

usage() {
    cat <<'TEXT'
usage: ./test.sh [--fast | --lab-only] [pytest arguments]

Without arguments: all tests, on the lab's own MariaDB, Valkey, sshd and Slurm (free ports, state in a
temporary directory), in parallel where that is safe.

  --fast      no servers: SQLite, and without the tests marked "lab", "browser" or "slow"
  --lab-only  start the lab, print how to use it, and leave it running
  --help      this text

Everything else goes to pytest: ./test.sh tests/hpc -k quoting -x
The Debian packages that are missing are installed when this runs as root. Without root the tests that
need the lab are left out, and named; with CI=true that is a failure. More: docs/howto/lab.md
TEXT
}

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
mode=all
arguments=()
for argument in "$@"; do
    case $argument in
        --help | -h) usage && exit 0 ;;
        --fast) mode=fast ;;
        --lab-only) mode=lab-only ;;
        *) arguments+=("$argument") ;;
    esac
done

say() { printf 'test.sh: %s\n' "$*"; }
fail() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 1
}

root=$(pwd -P)
python=$root/.venv/bin/python
tests=
lab_dirs=
scratch=

# Runs on every way out. What a kill -9 of this script leaves is ended by the lab's own guard process.
clean_up() {
    trap '' INT TERM HUP
    if [ -n "$tests" ] && kill -0 "$tests" 2>/dev/null; then
        kill -TERM "$tests" 2>/dev/null # pytest takes its fixtures down: see tests/conftest.py
        for _ in $(seq 300); do
            kill -0 "$tests" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$tests" 2>/dev/null
    fi
    for dir in $lab_dirs; do
        "$python" -m tests.lab down --dir "$dir" </dev/null &
    done
    wait
    [ -z "$scratch" ] || rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

find_python() {
    local candidate
    for candidate in python3.11 python3 python3.12 python3.13; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed; Debian 12 has it: apt-get install python3"
}

# As root: installs the Debian packages. Otherwise says what is left out.
install_packages() {
    local interpreter=$1
    if [ "$(id -u)" = 0 ]; then
        "$interpreter" -m tests.lab packages </dev/null || exit 1
        return
    fi
    [ "$mode" = fast ] && return
    [ "$mode" = lab-only ] && return # says itself what is missing
    mode=no-root
    [ "${CI:-}" != true ] ||
        fail "not root: the tests marked lab and browser cannot run (they install Debian packages and log in as several users), and with CI=true nothing may be left out"
}

# A stamp with the digest of the pins makes this quick when nothing has changed.
install_requirements() {
    local interpreter=$1 list=requirements/dev.txt stamp=$root/.venv/centro-dev-packages digest
    if ! { command -v pkg-config >/dev/null && pkg-config --exists libmariadb 2>/dev/null; }; then
        say "the MariaDB driver is left out: its headers are missing (apt-get install pkg-config libmariadb-dev)"
        list=$(mktemp)
        grep -v '^mysqlclient' requirements/dev.txt >"$list"
    fi
    digest="$(cat "$list" | sha256sum) $("$interpreter" -c 'import sys; print(sys.version)' | head -n 1)"
    if ! [ -x "$python" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ]; then
        say "installing the Python packages into .venv"
        [ -x "$python" ] || "$interpreter" -m venv .venv || fail "no virtual environment: apt-get install python3-venv"
        "$python" -m pip --disable-pip-version-check --no-input install --quiet --requirement "$list" </dev/null ||
            fail "the Python packages could not be installed; is https://pypi.org reachable?"
        echo "$digest" >"$stamp"
    fi
    [ "$list" = requirements/dev.txt ] || rm -f "$list"
}

lab_only() {
    "$python" -m tests.lab up ${CENTRO_LAB_DIR:+--dir "$CENTRO_LAB_DIR"} </dev/null || exit 1
    cat <<'TEXT'

# The lab runs. To use it, paste the export lines above into a shell (or: eval "$(.venv/bin/python -m tests.lab env)"), then:
#   .venv/bin/pytest -m lab tests/...                   tests against it
#   ssh -p $CENTRO_LAB_SSH_PORT -i $CENTRO_LAB_SSH_KEY test1@127.0.0.1
#   .venv/bin/python -m tests.lab status                servers, pids, ports
#   .venv/bin/python -m tests.lab stop slurmctld        also start, restart, kill, pause, resume
#   .venv/bin/python -m tests.lab down                  stops everything and removes its state
TEXT
    exit 0
}

# A lab for each worker; the first one's variables are the environment's as well.
start_labs() {
    local number dir exports pids=()
    for number in $(seq "$1"); do
        dir=$(mktemp -d "${TMPDIR:-/tmp}/centro-lab-XXXXXX")
        lab_dirs="$lab_dirs${lab_dirs:+ }$dir"
        "$python" -m tests.lab up --dir "$dir" --owner $$ </dev/null >/dev/null &
        pids+=($!)
    done
    for number in "${pids[@]}"; do
        wait "$number" || exit 1
    done
    exports=$("$python" -m tests.lab env --dir "${lab_dirs%% *}") || exit 1
    eval "$exports"
    export CENTRO_LAB_DIRS=$lab_dirs
}

# As a job of its own (set -m), so that whatever it leaves behind can be ended with its process group.
run_tests() {
    local with_parent=()
    command -v setpriv >/dev/null && with_parent=(setpriv --pdeathsig TERM --)
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/centro-scratch-XXXXXX")
    chmod 755 "$scratch" # a test server of a plain user reads its key files in here
    set -m
    TMPDIR=$scratch "${with_parent[@]}" "$python" -m pytest "$@" </dev/null &
    tests=$!
    set +m
    wait "$tests"
    code=$?
    tests=
}

interpreter=$(find_python) || exit 1
install_packages "$interpreter"
install_requirements "$interpreter"
[ "$mode" != lab-only ] || lab_only

selection=()
case $mode in
    fast) selection=(-m "not lab and not browser and not slow") ;;
    no-root) selection=(-m "not lab and not browser") ;;
esac
if [ "$mode" = no-root ]; then
    left_out=$("$python" -m pytest --collect-only -q -m "lab or browser" </dev/null 2>/dev/null | grep -c '::')
    say "not root: $left_out tests marked lab or browser are left out (they install Debian packages and log in as several users)"
fi
# A worker for each processor: with more, requests that have deadlines miss them.
workers=1
if [ ${#arguments[@]} -eq 0 ]; then
    workers=$(nproc)
    arguments=(-n "$workers" --dist loadgroup --no-loadscope-reorder)
fi
if [ "$mode" = all ]; then
    start_labs "$workers"
else
    for name in DIR DIRS SSH_PORT SSH_KEY HOST_KEY USERS DATABASE_URL REDIS_URL; do
        unset "CENTRO_LAB_$name"
    done
fi
run_tests ${selection[@]+"${selection[@]}"} "${arguments[@]}"
exit "$code"
