# Sourced by start.sh: every step that must be done before the processes can start.

centro_setup() {
    local state=${CENTRO_VAR:-$centro_root/var}
    (umask 077 && mkdir -p "$state/log") 2>/dev/null || centro_fail "$state cannot be made: choose another state directory with CENTRO_VAR"
    centro_log=$state/log/setup.log
    # Held by this script and by the supervisor it starts (which inherits the descriptor), so until both ended.
    exec 3>"$state/start.lock"
    flock --nonblock 3 || centro_fail "already runs (or is being set up) with the state in $state: stop it first, or choose another state with CENTRO_VAR"
    centro_environment
    centro_configure --init
    if [ "$setup_only" = no ]; then
        "$centro_python" -m centro.launch port 2>"$centro_log" || centro_fail "$(tail -n 1 "$centro_log")"
    fi
    centro_driver
    "$centro_python" manage.py prepare 2>"$centro_log" || centro_fail "setup failed: $(tail -n 1 "$centro_log" | sed 's/^CommandError: //') (details: $centro_log)"
}

# Virtual environment and packages. A stamp with the digest of the pins makes later starts skip this.
centro_environment() {
    local stamp=$centro_venv/centro-packages digest
    digest=$(sha256sum requirements/base.txt)
    [ -x "$centro_python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && return
    exec 4>"$centro_venv.lock"
    flock 4
    if ! [ -x "$centro_python" ]; then
        echo "creating the virtual environment $centro_venv"
        centro_create_venv
    fi
    echo "installing packages (first start, or the list has changed)"
    "$centro_python" -m pip --disable-pip-version-check --no-input install --quiet \
        --requirement requirements/base.txt >"$centro_log" 2>&1 ||
        centro_fail "packages could not be installed; is https://pypi.org reachable (proxy: HTTPS_PROXY, mirror: PIP_INDEX_URL)? Details: $centro_log"
    echo "$digest" >"$stamp"
    exec 4>&-
}

centro_create_venv() {
    local python candidate
    for candidate in python3.11 python3 python3.12 python3.13; do
        if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            python=$candidate
            break
        fi
    done
    [ -n "${python:-}" ] || centro_fail "Python 3.11 or newer is needed, found: $(python3 --version 2>&1 | head -n 1). Debian 12 has it: apt-get install python3 python3-venv"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$centro_venv" >"$centro_log" 2>&1 && return
    fi
    # Debian keeps pip's bootstrap in its own package (python3-venv); without it, pip comes from PyPI.
    rm -rf "$centro_venv"
    "$python" -m venv --without-pip "$centro_venv" >"$centro_log" 2>&1 ||
        centro_fail "no virtual environment in $centro_venv: $(tail -n 1 "$centro_log")"
    "$centro_python" "$centro_root/deploy/bootstrap_pip.py" 2>"$centro_log" || {
        rm -rf "$centro_venv"
        centro_fail "pip could not be fetched ($(tail -n 1 "$centro_log")): type 'apt-get install python3-venv' as root, or make https://pypi.org reachable"
    }
}

# mysqlclient has no ready-made package for Linux; it is built only where MariaDB is configured.
centro_driver() {
    if [ "$centro_database" != mysql ]; then
        [ -f "$centro_var/centro.sqlite3" ] || echo "database: SQLite; the MariaDB driver is left out because no MariaDB is configured"
        return
    fi
    "$centro_python" -c 'import MySQLdb' 2>/dev/null && return
    echo "building the MariaDB driver"
    . "$centro_root/deploy/mariadb_driver.sh"
    centro_build_driver >"$centro_log" 2>&1 && "$centro_python" -c 'import MySQLdb' 2>>"$centro_log" && return
    centro_fail "MariaDB is configured but its driver could not be built: type 'apt-get install build-essential pkg-config python3-dev libmariadb-dev' as root and start again. Details: $centro_log"
}
