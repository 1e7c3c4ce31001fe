"""The mail about one run's end: plain text, all that one wants to know before opening the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from pipeline_management.choices import RunState
from pipeline_management.models import Delivery, Run, RunLog
from pipeline_management.services.notifications.plain_text import last_lines, one_line
from pipeline_management.services.presentation import explain

LINES = 15
"""Log lines of each stream in a mail."""
WIDTH = 300
"""Characters of a log line in a mail."""


def headline(run: Run) -> str:
    """The run in a line: state, pipeline or job script, name."""
    return one_line(f"{run.state}: {run.title} {run.name}", 180)


def address_of(run: Run) -> str:
    """The address of the run's page."""
    return f"{settings.CENTRO_PUBLIC_URL}/runs/{run.pk}/"


def moment(at: datetime | None) -> str:
    """A time in the project's zone, with the zone's name; a dash for none."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "–"


def content(delivery: Delivery) -> tuple[str, str] | None:
    """Subject and text of the mail about the end of the delivery's run."""
    run = delivery.run
    if run is None:
        return None
    parts = [
        one_line(f"{RunState(run.state).label}: {run.title} {run.name}", 180),
        "\n".join(_causes(run)),
        "\n".join(_facts(run)),
        address_of(run),
        *_logs(run),
        _footer(delivery),
    ]
    return f"[Centro] {headline(run)}", "\n\n".join(part for part in parts if part) + "\n"


def _causes(run: Run) -> Iterator[str]:
    sentence = explain(run)
    yield one_line(sentence, 1200)
    if run.reason_text and run.reason_text not in sentence:
        yield one_line(run.reason_text, 1000)


def _facts(run: Run) -> Iterator[str]:
    rows = (
        (_("System"), run.system.name),
        (_("Job id"), run.job_id or "–"),
        (_("Exit code"), "–" if run.exit_code is None else str(run.exit_code)),
        (_("Signal"), "" if run.signal is None else str(run.signal)),
        (_("Lab"), run.lab.name if run.lab is not None else ""),
        (_("Submitted by"), run.submitter.get_username()),
        (_("Created"), moment(run.created_at)),
        (_("Started"), moment(run.started_at)),
        (_("Ended"), moment(run.ended_at or run.finished_at)),
        (_("Directory"), run.directory),
    )
    for name, value in rows:
        if value:
            yield f"{name + ':':14}{one_line(value, 600)}"


def _logs(run: Run) -> Iterator[str]:
    """The ends of the streams, indented, so that no line of theirs can be taken for one of ours."""
    for log in RunLog.objects.filter(run=run).order_by("stream"):
        lines = last_lines(bytes(log.data), LINES, WIDTH)
        if lines:
            heading = _("The last lines of %(stream)s:") % {"stream": log.stream}
            yield "\n".join([heading, *(f"    {line}" for line in lines)])


def _footer(delivery: Delivery) -> str:
    if delivery.user_id is not None:
        why = _("You get this mail because you submitted the run. Change it at %(address)s.") % {
            "address": f"{settings.CENTRO_PUBLIC_URL}/notifications/"
        }
    else:
        why = _("You get this mail because the run's configuration names your address.")
    return f"-- \n{why}"
