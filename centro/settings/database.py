"""Database connections and the cache."""

import sys
from typing import Any

from centro.checks import driver_fault
from centro.settings.configuration import config


def _sqlite() -> dict[str, Any]:
    """WAL lets readers and the one writer go on together; IMMEDIATE takes the write lock at BEGIN,
    so that the 20 s wait applies and no transaction fails half-way with "database is locked"."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": config.database_file,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _mysql() -> dict[str, Any]:
    """READ COMMITTED: a worker sees what others committed; strict mode: no silent truncation.
    The session's time zone is UTC so that leases can be counted by the database's clock."""
    if fault := driver_fault():
        sys.exit(fault)
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": config.database.name,
        "USER": config.database.user,
        "PASSWORD": config.database.password or "",
        "HOST": config.database.host or "127.0.0.1",
        "PORT": config.database.port or 3306,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"},
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "connect_timeout": 5,
            "init_command": "SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE,"
            "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        },
    }


# Threads live as long as their process, so one kept connection each is bounded (an event loop would
# leak one per request). A connection is tested before the first query of a request or task.
DATABASES = {
    "default": (_sqlite() if config.database.engine == "sqlite" else _mysql())
    | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
}

CACHES = {
    "default": {
        "BACKEND": "centro.cache.ResilientCache",
        "LOCATION": config.cache_url,
        "KEY_PREFIX": "centro-cache",
        "TIMEOUT": 300,
    },
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
