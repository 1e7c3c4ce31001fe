"""Installs pip from PyPI into the virtual environment that runs this file (for a Python without ensurepip)."""

import hashlib
import json
import subprocess  # noqa: S404 (runs this same interpreter)
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

INDEX = "https://pypi.org/pypi/pip/json"


def main() -> None:
    """Fetch the newest pip wheel, check its digest against the index, let it install itself."""
    with urllib.request.urlopen(INDEX, timeout=30) as answer:
        files = json.load(answer)["urls"]
    wheel = next(file for file in files if file["packagetype"] == "bdist_wheel")
    url = urllib.parse.urljoin(INDEX, wheel["url"])  # mirrors may give it relative to the index
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (an https URL of the index)
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != wheel["digests"]["sha256"]:
        sys.exit("the digest of pip's wheel is wrong")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / wheel["filename"]
        path.write_bytes(content)
        subprocess.run(  # noqa: S603 (fixed arguments)
            [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", str(path)],
            check=True,
        )


if __name__ == "__main__":
    main()
