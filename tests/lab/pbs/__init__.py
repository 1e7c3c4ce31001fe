"""Stand-in commands of PBS; see ``standin``."""

from __future__ import annotations

import shutil
from pathlib import Path

NAMES = ("qsub", "qselect", "qstat", "qdel", "qhold", "qrls", "pbsnodes", "standin")
_HERE = Path(__file__).resolve().parent
_RECORDED = _HERE.parents[1] / "recordings" / "openpbs"


def install(folder: Path) -> Path:
    """Put the commands into an empty directory that every user may enter; the directory."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(_RECORDED, folder / "recorded")
    for name in NAMES:
        shutil.copy(_HERE / "standin.py", folder / name)
        (folder / name).chmod(0o755)
    (folder / "state").mkdir()
    (folder / "state").chmod(0o777)
    folder.chmod(0o755)
    return folder
