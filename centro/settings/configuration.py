"""Reads the configuration once per process for all settings modules."""

import sys

from centro.config import Config, ConfigError, load


def _load_or_exit() -> Config:
    try:
        return load()
    except ConfigError as error:
        sys.exit(str(error))


config = _load_or_exit()
