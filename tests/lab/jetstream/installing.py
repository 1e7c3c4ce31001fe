"""A stand-in of Jetstream as a command on the lab's system, in an environment of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = ("jinja2", "markupsafe", "yaml")
PYTHON = "/usr/bin/python3"  # the lab's users cannot read every interpreter


def install(folder: Path) -> Path:
    """Make ``folder`` (readable by everybody) a Jetstream installation; the path of its command."""
    environment = folder / "venv"
    command = environment / "bin" / "jetstream"
    if command.exists():
        return command
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = next(environment.glob("lib/python3*/site-packages"))
    for name in LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"the package {name} is missing")
        source = Path(spec.origin).parent
        shutil.copytree(source, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "standin" / "jetstream", packages / "jetstream")
    shutil.copytree(HERE / "pipelines", folder / "pipelines")
    command.write_text(f"#!{environment}/bin/python3\nfrom jetstream.cli import main\n\nmain()\n")
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == command else 0o644)
    return command
