"""The one typed reader of Centro's configuration.

`load()` merges environment variables (`CENTRO_*`) over `secrets.json` over the defaults declared in
`model.py` and returns a validated `Config`. Anything unknown or wrong raises `ConfigError`, whose text
is one line per fault that names the key and says what was expected.
"""

from centro.config.derived import Config
from centro.config.reader import ConfigError, load
from centro.config.sections import Database, Email

__all__ = ["Config", "ConfigError", "Database", "Email", "load"]
