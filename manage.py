#!/usr/bin/env python3
"""Django's command line for Centro."""

import os
import sys


def main() -> None:
    """Run a management command; a bad configuration ends it with one line per fault."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centro.settings")
    from centro.config import ConfigError, load

    try:
        load()
    except ConfigError as error:
        sys.exit(str(error))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
