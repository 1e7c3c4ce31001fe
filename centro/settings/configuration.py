"""Reads the configuration once per process for all settings modules."""

import sys

from centro.config import Config, ConfigError, load
from centro.config.state import directory_fault


def _load_or_exit() -> Config:
    """The configuration, with its state directory made; a fault ends the process in one line."""
    try:
        config = load()
    except ConfigError as error:
        sys.exit(str(error))
    if fault := directory_fault(config):
        sys.exit(fault)
    return config


config = _load_or_exit()
