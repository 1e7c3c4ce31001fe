"""Memory for the lab's MariaDB, which is made small for tests."""

from __future__ import annotations

import os
import subprocess

MIB = 1024 * 1024


def give(mebibytes: int | None = None) -> int:
    """Let the server keep so many MiB of rows and indexes, by default a quarter of the machine's memory; how many.

    The redo log grows with it. Needs MariaDB 10.9.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    size = mebibytes or memory // 4
    statements = (
        f"SET GLOBAL innodb_buffer_pool_size = {size * MIB};"
        f"SET GLOBAL innodb_log_file_size = {max(64, size // 3) * MIB}"
    )
    socket = f"{os.environ['CENTRO_LAB_DIR']}/run/mariadb/sock"
    subprocess.run(["mariadb", "--no-defaults", f"--socket={socket}", "-e", statements], check=True)
    return size
