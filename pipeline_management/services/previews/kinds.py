"""What a file is by its name: never by a look at its content, which its author chose."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Literal

from hpc.commands import MIB

Kind = Literal["text", "table", "notebook", "image", "pdf", "html", "unknown"]


@dataclass(frozen=True, slots=True)
class Type:
    """How a file is shown; ``content_type`` is what it is sent as, ``limit`` the most bytes for a preview.

    ``limit`` 0: it is shown in parts, whatever its size.
    """

    kind: Kind
    content_type: str
    limit: int = 0


PLAIN = Type("text", "text/plain; charset=utf-8")
UNKNOWN = Type("unknown", "application/octet-stream")
IMAGE_LIMIT = 20 * MIB
HTML_LIMIT = 50 * MIB
PDF_LIMIT = 50 * MIB
NOTEBOOK_LIMIT = 10 * MIB

_TYPES: dict[str, Type] = {
    "png": Type("image", "image/png", IMAGE_LIMIT),
    "jpg": Type("image", "image/jpeg", IMAGE_LIMIT),
    "jpeg": Type("image", "image/jpeg", IMAGE_LIMIT),
    "gif": Type("image", "image/gif", IMAGE_LIMIT),
    "webp": Type("image", "image/webp", IMAGE_LIMIT),
    "svg": Type("image", "image/svg+xml", IMAGE_LIMIT),
    "pdf": Type("pdf", "application/pdf", PDF_LIMIT),
    "html": Type("html", "text/html; charset=utf-8", HTML_LIMIT),
    "htm": Type("html", "text/html; charset=utf-8", HTML_LIMIT),
    "ipynb": Type("notebook", "application/json", NOTEBOOK_LIMIT),
    "csv": Type("table", "text/plain; charset=utf-8"),
    "tsv": Type("table", "text/plain; charset=utf-8"),
    "tab": Type("table", "text/plain; charset=utf-8"),
}
_TEXTS = set(
    re.findall(
        r"\w+",
        "bed cfg conf config dict err fa fai fasta fastq fq gff gff3 gtf ini jinja json jsonl jst log md nf out py r "
        "rst sam sbatch sh slurm smk sql stderr stdout toml txt vcf wdl xml yaml yml",
    )
)


def type_of(path: str) -> Type:
    """By the ending of the name, in any case; ``UNKNOWN`` for others, of which a look at the bytes decides."""
    ending = posixpath.splitext(path)[1].lower().removeprefix(".")
    if ending in _TEXTS:
        return PLAIN
    return _TYPES.get(ending, UNKNOWN)
