# Sourced by setup.sh: builds mysqlclient, whose only form for Linux is source.
# It needs a C compiler, Python's headers and MariaDB's client library with headers.

centro_build_driver() {
    if ! pkg-config --exists libmariadb && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        apt-get update
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
            build-essential pkg-config python3-dev libmariadb-dev
    fi
    if ! pkg-config --exists libmariadb; then
        centro_unpack_library || return 1
    fi
    "$centro_python" -m pip --disable-pip-version-check --no-input install --no-cache-dir \
        --constraint requirements/mariadb.txt mysqlclient
}

# Without root the two Debian packages are unpacked beside the virtual environment instead of installed;
# the driver remembers where its library lies (rpath), so nothing needs setting at run time.
centro_unpack_library() {
    local sysroot=$centro_venv/sysroot downloads=$centro_venv/debian libraries
    mkdir -p "$sysroot" "$downloads" || return 1
    (cd "$downloads" && apt-get download libmariadb-dev libmariadb3) || return 1
    for package in "$downloads"/*.deb; do
        dpkg -x "$package" "$sysroot" || return 1
    done
    libraries=$(dirname "$(find "$sysroot" -name libmariadb.so.3 | head -n 1)")
    export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot
    export LDFLAGS="-L$libraries -Wl,-rpath,$libraries"
    pkg-config --exists libmariadb
}
