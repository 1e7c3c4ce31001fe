"""Usage is added up from an index alone; indexes give the newest runs that a word finds, and a person's of a state."""

from datetime import UTC, datetime
from typing import Any

from django.db import migrations, models

_PARTS = ["submitter", "pipeline", "system"]
_COUNTERS = [
    "runs", "succeeded", "failed", "cancelled", "core_seconds", "gpu_seconds", "wait_seconds", "elapsed_seconds",
    "waited", "measured",
]  # fmt: skip
_BATCH = 100_000


def copy_times(apps: Any, schema_editor: Any) -> None:
    """Give each word the time of its run, in parts: one statement over millions of rows would hold them all."""
    words = apps.get_model("pipeline_management", "RunWord").objects
    runs = apps.get_model("pipeline_management", "Run").objects
    of_run = runs.filter(pk=models.OuterRef("run_id")).values("created_at")[:1]
    last = words.aggregate(last=models.Max("pk"))["last"] or 0
    for first in range(0, last + 1, _BATCH):
        part = words.filter(pk__gte=first, pk__lt=first + _BATCH)
        part.update(created_at=models.Subquery(of_run))


def _sums(span: str) -> list[Any]:
    """The new ones first: a foreign key is never without an index."""
    model = f"usage{span}"
    return [
        migrations.AddIndex(
            model_name=model,
            index=models.Index(
                fields=["day", "lab", *_PARTS, *_COUNTERS], name=f"usage_sums_by_{span}"
            ),
        ),
        migrations.AddIndex(
            model_name=model,
            index=models.Index(
                fields=["lab", "day", *_PARTS, *_COUNTERS], name=f"usage_lab_sums_{span}"
            ),
        ),
        migrations.RemoveIndex(model_name=model, name=f"usage_{span}_lab"),
        migrations.RemoveIndex(model_name=model, name=f"usage_lab_{span}"),
    ]


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0021_order_by_index")]

    operations = [
        *_sums("day"),
        *_sums("month"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["submitter", "state", "-created_at", "-id"], name="run_by_submitter_state"
            ),
        ),
        migrations.AddField(
            model_name="runword",
            name="created_at",
            field=models.DateTimeField(default=datetime(1970, 1, 1, tzinfo=UTC)),
            preserve_default=False,
        ),
        migrations.RunPython(copy_times, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="runword",
            index=models.Index(fields=["word", "created_at", "run", "source"], name="word_by_time"),
        ),
        migrations.RemoveIndex(model_name="runword", name="word_first"),
    ]
