"""The words by which runs are found: of their names, input files, samples and reasons.

A substring cannot be looked up among a million runs, the beginning of a word can, on every database. So each
text is cut into words, at everything that is neither letter nor digit, and those again where letters meet digits:
"NA12878_R1.fastq" gives na12878, 12878, r1, fastq.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeline_management.models import Run, RunInput, RunWord
from pipeline_management.services import inputs

LONGEST = 40
MOST = 20_000
"""Words that are kept of one run and kind."""
_BATCH = 2000
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"\d+|[^\W\d_]+")
# In the names of nearly all files: they find nothing and would be most of the index.
_COMMON = frozenset({"fastq", "fq", "gz", "bam", "txt", "json", "csv", "tsv"})


def plain(text: str) -> str:
    """Lower case without accents, in which words are kept and looked for."""
    flat = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in flat if not unicodedata.combining(char))


def whole_words(text: str) -> list[str]:
    """The words of a text as somebody would type them, each once, in its order.

    Those that are not written down of file names are left out while there are others: a whole file name finds.
    """
    found = _cut(text)
    return [word for word in found if word not in _COMMON] or found


def _cut(text: str) -> list[str]:
    return list(dict.fromkeys(word.group()[:LONGEST] for word in _WORD.finditer(plain(text))))


def words_of(texts: Iterable[str], *, without: frozenset[str] = frozenset()) -> list[str]:
    """All words under which the texts are to be found, at most ``MOST``."""
    found: dict[str, None] = {}
    for text in texts:
        for word in _cut(text):
            parts = [word, *(part.group() for part in _PART.finditer(word))]
            found.update(dict.fromkeys(part for part in parts if len(part) > 1 or part == word))
        if len(found) >= MOST:
            break
    return [word for word in found if word not in without][:MOST]


def index_new(run: Run, document: Any, schema: Any = None) -> None:
    """Write down what a new run is found by. Within the transaction that creates it."""
    paths = inputs.input_paths(document, schema)
    rows = [RunInput(run=run, name=inputs.base_name(path)[:255], path=path) for path in paths]
    RunInput.objects.bulk_create(rows, batch_size=_BATCH)
    texts = [*inputs.sample_names(document), *(row.name for row in rows)]
    key = (run.pk, run.created_at)
    made = _rows(key, RunWord.Source.INPUT, words_of(texts, without=_COMMON))
    made += _rows(key, RunWord.Source.NAME, words_of([run.name]))
    RunWord.objects.bulk_create(made, batch_size=_BATCH)


def index_again(run: Run) -> None:
    """The same for a run that exists: what was written before is replaced. Reads its configuration."""
    RunInput.objects.filter(run=run).delete()
    RunWord.objects.filter(run=run).delete()
    index_new(run, run.configuration, run.version.schema if run.version is not None else None)
    index_reasons({run.pk: f"{run.reason_text} {run.attention_text} {run.cause_text}"})


def index_reasons(texts: dict[UUID, str]) -> None:
    """Write down the words of the reasons for which runs ended; the ones before are replaced."""
    RunWord.objects.filter(run_id__in=list(texts), source=RunWord.Source.REASON).delete()
    keys = Run.objects.filter(pk__in=list(texts)).values_list("pk", "created_at")
    made = [
        row for key in keys for row in _rows(key, RunWord.Source.REASON, words_of([texts[key[0]]]))
    ]
    RunWord.objects.bulk_create(made, batch_size=_BATCH)


def _rows(key: tuple[UUID, datetime], source: RunWord.Source, words: list[str]) -> list[RunWord]:
    run_id, created_at = key
    return [
        RunWord(run_id=run_id, created_at=created_at, source=source, word=word) for word in words
    ]
