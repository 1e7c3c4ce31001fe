"""Makes secrets.json with the two secrets that an installation cannot do without."""

from __future__ import annotations

import json
import os
import secrets
import string
from pathlib import Path

from cryptography.fernet import Fernet

ALPHABET = string.ascii_letters + string.digits


def create(path: Path) -> bool:
    """Write a new secrets file with mode 0600 and return True; leave an existing one alone (False).

    The file appears under its name only when complete, so two starts at once agree on one file.
    """
    if path.exists():
        return False
    values = {
        "secret_key": "".join(secrets.choice(ALPHABET) for _ in range(64)),
        "encryption_keys": [Fernet.generate_key().decode()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(values, stream, indent=2)
            stream.write("\n")
        os.link(draft, path)  # unlike rename, refuses when another start was faster
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
