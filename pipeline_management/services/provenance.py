"""A run as a Workflow Run RO-Crate 0.5: one zip that says who ran what, when, with which input, and how it ended.

https://www.researchobject.org/workflow-run-crate/profiles/workflow_run_crate/ (a job script of somebody's own, which
has no pipeline: Process Run Crate). Input and output files are named by their places on the system and never read;
the configuration, the pipeline, the job script, the kept ends of the output, tasks and events are in the zip.
Reads the database only.
"""

from __future__ import annotations

import io
import json
import mimetypes
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from rocrate.model import ContextEntity
from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.rocrate import ROCrate

from pipeline_management.choices import Engine, RunState
from pipeline_management.models import Run
from pipeline_management.services.inputs import base_name, input_paths
from pipeline_management.services.log_text import readable
from pipeline_management.services.presentation import explain

MEDIA_TYPE = "application/zip"
MOST_EVENTS = 100_000
"""The newest events of a run that are put into its crate."""
MOST_FILES = 5_000
"""Input files that are named."""
_TERMS_OF_USE = "Nothing is licensed by this crate: ask the lab that the run belongs to."
_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_BIOSCHEMAS = "https://bioschemas.org/profiles"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_STATUS = {
    RunState.SUCCEEDED: "http://schema.org/CompletedActionStatus",
    RunState.FAILED: "http://schema.org/FailedActionStatus",
    RunState.CANCELLED: "http://schema.org/FailedActionStatus",
    RunState.RUNNING: "http://schema.org/ActiveActionStatus",
    RunState.FINISHING: "http://schema.org/ActiveActionStatus",
}
_LANGUAGES = {
    Engine.SHELL: ("Bash", "https://www.gnu.org/software/bash/"),
    Engine.JETSTREAM: ("Jetstream", "https://github.com/tgen/jetstream"),
    Engine.SNAKEMAKE: ("Snakemake", "https://snakemake.github.io/"),
}


@dataclass(frozen=True, slots=True)
class Crate:
    """``file`` is the zip, read from its beginning and gone once closed; ``name`` is what to call it."""

    name: str
    file: IO[bytes]


def export(run: Run) -> Crate:
    """The crate of a run as it is now; of one that has not ended it says that it is incomplete.

    ``run`` comes with its texts, version, lab, submitter and system. A dozen queries, however large the run.
    """
    crate = ROCrate(version="1.1", gen_preview=False)
    crate.metadata.extra_contexts.append(_TERMS)
    _root(crate, run)
    about = f"# {crate.name}\n\n{crate.description}\n\nHow it ended: {explain(run)}\n\nRun id: {run.pk}\n"
    _file(crate, "README.md", about, "What this is", "text/markdown")["about"] = crate.root_dataset
    with tempfile.TemporaryDirectory(prefix="centro-crate-") as folder:
        instrument = _instrument(crate, run)
        action = _action(crate, run, instrument)
        _files(crate, run, action, Path(folder))
        file = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        for chunk in crate.stream_zip():
            file.write(chunk)
    file.seek(0)
    return Crate(f"run-{run.pk}.crate.zip", file)


def _root(crate: Any, run: Run) -> None:
    over = RunState(run.state).is_terminal
    crate.name = f"Run {run.name or run.pk} of {run.title}"
    crate.description = (
        f"{run.title} run by {run.submitter.get_username()} on {run.system.name} with Centro."
        if over
        else f"INCOMPLETE: the run had not ended when this was written ({_time(datetime.now(UTC))})."
    )
    # No licence is known to Centro, and the profile asks for one: this says so.
    terms = {"@type": "CreativeWork", "name": "No licence is stated", "description": _TERMS_OF_USE}
    crate.license = crate.add(ContextEntity(crate, "#licence", terms))
    crate.datePublished = _time(run.finished_at or datetime.now(UTC))
    profiles = _PROFILES if run.version is not None else _PROFILES[:1]
    named = [
        crate.add(
            ContextEntity(crate, url, {"@type": "CreativeWork", "name": name, "version": version})
        )
        for url, name, version in profiles
    ]
    crate.root_dataset["conformsTo"] = named


def _instrument(crate: Any, run: Run) -> Any:
    """The pipeline version as a workflow; for a job script of somebody's own a plain program."""
    if run.version is None:
        properties = {"@type": "SoftwareApplication", "name": "job script", "version": run.pk.hex}
        return crate.add(ContextEntity(crate, "#job-script", properties))
    version = run.version
    name, url = _LANGUAGES[Engine(version.engine)]
    language = crate.add(
        ComputerLanguage(
            crate,
            f"#{name.lower()}",
            {"name": name, "url": {"@id": url}, "identifier": {"@id": url}},
        )
    )
    crate.add(ContextEntity(crate, url, {"@type": "WebPage", "name": name}))
    text = version.script or run.script
    workflow = crate.add_workflow(
        io.BytesIO(text.encode()),
        "pipeline/script.sh",
        main=True,
        lang=language,
        properties={
            "name": version.pipeline.title or str(version),
            "identifier": str(version),
            "version": version.version,
            "description": version.pipeline.description[:5000] or str(version),
            "sha256": version.content_sha256,
            "encodingFormat": "text/x-shellscript",
            "conformsTo": {"@id": f"{_BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"},
        },
    )
    # add_workflow declares the profile once more
    crate.root_dataset["conformsTo"] = [{"@id": url} for url, _name, _version in _PROFILES]
    parameter = {
        "@type": "FormalParameter",
        "name": "configuration",
        "additionalType": "File",
        "encodingFormat": "application/json",
        "valueRequired": True,
        "conformsTo": {"@id": f"{_BIOSCHEMAS}/FormalParameter/1.0-RELEASE"},
    }
    workflow["input"] = crate.add(ContextEntity(crate, "#configuration", parameter))
    return workflow


def _action(crate: Any, run: Run, instrument: Any) -> Any:
    person = {
        "@type": "Person",
        "name": run.submitter.get_full_name() or run.submitter.get_username(),
    }
    if run.lab is not None:
        lab = {"@type": "Organization", "name": run.lab.name}
        organization = crate.add(ContextEntity(crate, f"#lab-{quote(run.lab.slug)}", lab))
        person["affiliation"] = crate.publisher = organization
    who = f"#person-{quote(run.submitter.get_username(), safe='')}"
    agent = crate.root_dataset["author"] = crate.add(ContextEntity(crate, who, person))
    state = RunState(run.state)
    properties: dict[str, Any] = {
        "@type": "CreateAction",
        "name": f"Run {run.name or run.pk}",
        "description": explain(run),
        "identifier": str(run.pk),
        "startTime": _time(run.started_at or run.created_at),
        "actionStatus": _STATUS.get(state, "http://schema.org/PotentialActionStatus"),
        "agent": agent,
    }
    ended = run.ended_at or run.finished_at
    if ended is not None:
        properties["endTime"] = _time(ended)
    if state in (RunState.FAILED, RunState.CANCELLED):
        words = (run.reason, run.reason_text, run.cause_text)
        properties["error"] = ": ".join(word for word in words if word) or state.value
    action = crate.add_action(instrument, f"#run-{run.pk}", properties=properties)
    crate.root_dataset["mentions"] = action
    return action


def _files(crate: Any, run: Run, action: Any, folder: Path) -> None:
    """Everything that is in the zip, and the places of what is not."""
    text = json.dumps(run.configuration, indent=2, ensure_ascii=False)
    configuration = _file(crate, "configuration.json", text, "Configuration", "application/json")
    configuration["sha256"] = run.configuration_sha256
    if run.version is not None:
        configuration["exampleOfWork"] = {"@id": "#configuration"}
    script = _file(crate, "job.sh", run.script, "Job script as submitted", "text/x-shellscript")
    schema = run.version.schema if run.version is not None else None
    paths = input_paths(run.configuration, schema)[:MOST_FILES]
    action["object"] = [configuration, script, *(_place(crate, run, path, "") for path in paths)]
    results = [
        _file(crate, f"logs/{kept.stream.replace(':', '-')}.txt", readable(bytes(kept.data)),
              f"End of {kept.stream} ({len(kept.data)} of {kept.size} bytes)", "text/plain")
        for kept in run.logs.all()
    ]  # fmt: skip
    tasks = json.dumps(list(_tasks(run)), indent=1, ensure_ascii=False)
    results.append(
        _file(crate, "tasks.json", tasks, "Tasks that the job reported", "application/json")
    )
    events = folder / "events.jsonl"
    with events.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in _events(run))
    name = "History" if run.event_seq <= MOST_EVENTS else f"The newest {MOST_EVENTS} events"
    kind = {"name": name, "encodingFormat": "application/x-ndjson"}
    results.append(crate.add_file(events, "events.jsonl", properties=kind))
    named = set(paths)
    results += [_place(crate, run, *made) for made in _artifacts(run) if made[0] not in named]
    action["result"] = results


def _file(crate: Any, place: str, text: str, name: str, kind: str) -> Any:
    properties = {"name": name, "encodingFormat": kind}
    return crate.add_file(
        io.BytesIO(text.encode("utf-8", "replace")), place, properties=properties, record_size=True
    )


def _place(crate: Any, run: Run, path: str, label: str) -> Any:
    """A file on the system, which is not in the zip: by an absolute address with the system's name as host."""
    absolute = path if path.startswith("/") else f"{run.works_in.rstrip('/')}/{path}"
    address = f"file://{quote(run.system.name, safe='')}{quote(absolute)}"
    name = label or base_name(path) or path
    kind = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
    properties = {"@type": "File", "name": name, "encodingFormat": kind}
    known = crate.get(address)
    if known is not None:
        return known
    return crate.add_file(address, properties=properties)


def _artifacts(run: Run) -> list[tuple[str, str]]:
    """The files that the job said it made, each with its label, the newest first."""
    told = run.events.filter(type="artifact").order_by("-seq").values_list("data", flat=True)
    found: dict[str, str] = {}
    for data in told[:MOST_FILES]:
        path = str(data.get("path", ""))
        if path:
            found.setdefault(path, str(data.get("label", "")))
    return list(found.items())


def _tasks(run: Run) -> Iterator[dict[str, Any]]:
    for task in run.tasks.order_by("pk").iterator(chunk_size=2000):
        yield {
            "name": task.name,
            "state": task.state,
            "job_id": task.job_id,
            "exit_code": task.exit_code,
            "started_at": _time(task.started_at) if task.started_at else None,
            "ended_at": _time(task.ended_at) if task.ended_at else None,
            "resources": task.resources,
        }


def _events(run: Run) -> Iterator[dict[str, Any]]:
    """The newest ``MOST_EVENTS`` events, oldest first."""
    events = run.events.filter(seq__gt=run.event_seq - MOST_EVENTS).order_by("seq")
    for event in events.iterator(chunk_size=2000):
        yield {
            "seq": event.seq,
            "at": _time(event.at),
            "type": event.type,
            "from": event.from_state,
            "to": event.to_state,
            "evidence": event.evidence,
            "actor": event.actor,
            "sender": event.sender,
            "data": event.data,
        }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
