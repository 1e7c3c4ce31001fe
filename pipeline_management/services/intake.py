"""From a posted configuration to a queued run: read, resolve, validate, render, write down."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Lab
from pipeline_management.choices import Confirmation, Desired, OriginKind, RunSource, RunState
from pipeline_management.errors import Conflict, InvalidRequest, Problem
from pipeline_management.models import (
    PipelineVersion,
    Run,
    RunEvent,
    System,
    SystemAccount,
)
from pipeline_management.services import audit, dispatch, json_faults, words
from pipeline_management.services.announcing import announce
from pipeline_management.services.control.directories import claim_directory
from pipeline_management.services.documents import (
    MAX_BODY,
    MAX_DEPTH,
    canonical_json,
    parse_document,
)
from pipeline_management.services.engines.context import system_context
from pipeline_management.services.engines.registry import engine_of
from pipeline_management.services.judging import judge
from pipeline_management.services.notifications import addresses
from pipeline_management.services.reports import tokens
from pipeline_management.services.resolution import Resolution, resolve, work_directory
from pipeline_management.services.run_files import archive
from pipeline_management.services.run_files import inputs as brought
from pipeline_management.services.validation import with_places

__all__ = [
    "MAX_BODY",
    "MAX_DEPTH",
    "Origin",
    "PreparedRun",
    "create_run",
    "parse_document",
    "prepare",
]

_NAMED_BY = ("project", "name", "title")
_HOLD_KEY = "holdConfig"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")


@dataclass(frozen=True)
class Origin:
    """The run that a new one is made from, and how. The lab is its own unless the configuration says
    another; a run that is submitted again or resumed as it was goes to the same system too."""

    run: Run
    kind: OriginKind

    def completed(self, document: dict[str, Any]) -> dict[str, Any]:
        """The configuration with what it leaves open as the origin had it."""
        known = {"lab": self.run.lab.slug} if self.run.lab is not None else {}
        if self.kind is not OriginKind.EDIT:
            known["system"] = self.run.system.name
        return {**known, **document}


@dataclass(frozen=True)
class PreparedRun:
    """A run that could be created: everything checked, nothing written.

    ``directory_hint`` is the run's directory on the system, which holds its id; ``reference`` is the
    pipeline as asked for ("phoenix@latest"); ``warnings`` do not hinder the run; ``held``: it waits until
    somebody releases it.
    """

    version: PipelineVersion
    lab: Lab
    system: System
    account: SystemAccount
    configuration: dict[str, Any]
    configuration_json: str
    name: str
    script: str
    resources: dict[str, Any]
    directory_hint: str
    reference: str
    run_id: uuid.UUID
    warnings: list[Problem] = field(default_factory=list)
    held: bool = False
    origin: Origin | None = None
    inputs: list[brought.Input] = field(default_factory=list)

    @property
    def configuration_sha256(self) -> str:
        """Hex SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.configuration_json.encode()).hexdigest()

    @property
    def request_sha256(self) -> str:
        """What makes two requests the same: the configuration, the pipeline as asked for, and the origin."""
        text = f"{self.reference}\n{self.configuration_json}"
        if self.origin is not None:
            text += f"\n{self.origin.kind} {self.origin.run.pk}"
        return hashlib.sha256(text.encode()).hexdigest()


def prepare(
    *,
    user: User,
    document: dict[str, Any],
    text: str | None = None,
    pipeline: str | None = None,
    origin: Origin | None = None,
) -> PreparedRun:
    """Check a configuration completely and make its job script. Writes nothing.

    ``text`` is the JSON that ``document`` was read from, so that problems carry line and column.
    ``pipeline`` goes before the document's own. With an ``origin`` of kind RESUME the script is that of a run
    that goes on in the origin's directory; whether its engine can is up to the caller. Raises
    ``InvalidRequest`` with every problem that was found, ``NotAllowed`` where the person may not do this.
    """
    configuration_json = _canonical(document)
    found = resolve(user, origin.completed(document) if origin else document, pipeline)
    if not isinstance(document.get(_HOLD_KEY, False), bool):
        found.complain("type", f"{_HOLD_KEY} must be true or false.", f"/{_HOLD_KEY}")
    inputs, wrong_inputs = brought.read(document)
    if found.system is not None:
        wrong_inputs += brought.uploads_wrong(inputs, user, found.system)
    problems = with_places([*found.problems, *wrong_inputs], text)
    version = found.version
    run_id = uuid.uuid4()
    directory = f"{_directory_of_runs(found)}/{run_id}"
    seen_by_job = brought.resolved(document, directory)
    warnings = addresses.warnings_of(document)
    if version is not None:
        judged = judge(seen_by_job, version, text)
        problems += judged.errors
        warnings = [*judged.warnings, *warnings]
        if not problems:
            refused = engine_of(version).check_configuration(version, seen_by_job)
            refused += archive.problems_of(document, version)
            problems += with_places(refused, text)
    if (
        version is None
        or found.lab is None
        or found.system is None
        or found.account is None
        or problems
    ):
        raise InvalidRequest(_in_order(problems), with_places(warnings, text))
    name = _name(document)
    engine = engine_of(version)
    resources = engine.resources(version, seen_by_job, found.system.scheduler)
    context = {
        "config": seen_by_job,
        "run": {"id": str(run_id), "directory": directory, "name": name},
        "pipeline": {"name": version.pipeline.name, "version": version.version},
        "lab": {"slug": found.lab.slug, "name": found.lab.name},
        "user": {"username": user.username, "email": user.email},
        "system": system_context(found.system, found.account),
        "resources": resources,
    }
    return PreparedRun(
        version=version,
        lab=found.lab,
        system=found.system,
        account=found.account,
        configuration=document,
        configuration_json=configuration_json,
        name=name,
        script=engine.render(
            version, context, resume=origin is not None and origin.kind is OriginKind.RESUME
        ).script,
        resources=resources,
        directory_hint=directory,
        reference=found.reference,
        run_id=run_id,
        warnings=with_places(warnings, text),
        held=document.get(_HOLD_KEY) is True,
        origin=origin,
        inputs=inputs,
    )


def _directory_of_runs(found: Resolution) -> str:
    """Where the runs' directories are; any, while it is not known which system is meant."""
    if found.system is None or found.account is None:
        return ""
    return work_directory(found.system, found.account)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """In the order of the text; what has no place there comes last."""
    return sorted(problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0))


def _canonical(document: dict[str, Any]) -> str:
    """The canonical JSON. Raises ``InvalidRequest`` for what ``parse_document`` would not have let pass."""
    try:
        text = canonical_json(document)
        text.encode()
    except UnicodeEncodeError:
        message = "A string contains half of a surrogate pair (U+D800 to U+DFFF)."
        raise InvalidRequest([Problem("surrogate", message)]) from None
    except ValueError:
        message = "NaN and infinity are not JSON numbers: give a number, null or leave the key out."
        raise InvalidRequest([Problem("nan", message)]) from None
    if "\\u0000" in text:
        problems = json_faults.bad_characters(text)
        if problems:
            raise InvalidRequest([Problem(p.code, p.message) for p in problems])
    return text


def _name(document: dict[str, Any]) -> str:
    for key in _NAMED_BY:
        value = document.get(key)
        if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable():
            return value
    return ""


def new_key() -> str:
    """The job name of all attempts of a run: "c" and 70 random bits in lower-case base32."""
    return "c" + base64.b32encode(secrets.token_bytes(9)).decode().lower()[:14]


def create_run(
    *,
    user: User,
    prepared: PreparedRun,
    source: RunSource,
    idempotency_key: str | None = None,
    address: str | None = None,
) -> tuple[Run, bool]:
    """Write a prepared run down as queued and ring for a worker; (the run, whether it is new).

    With an idempotency key (1 to 200 printable ASCII characters) the same request gives the run that is
    already there. Raises ``Conflict`` when the key was used for another request, ``InvalidRequest`` for
    a malformed key. A resumed run has its working directory for itself: ``Conflict`` where another run has
    it, or has gone on in it since. ``address`` is the client's IP address, for the audit record.
    """
    if idempotency_key is not None:
        _check_key(idempotency_key)
        known = _known(user, idempotency_key, prepared)
        if known:
            return known, False
    try:
        return _write(user, prepared, source, idempotency_key, address), True
    except IntegrityError:
        known = _known(user, idempotency_key, prepared) if idempotency_key is not None else None
        if known is None:
            raise
        return known, False


def _check_key(key: str) -> None:
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        message = "The idempotency key must be 1 to 200 printable ASCII characters, without blanks at the ends."
        raise InvalidRequest([Problem("idempotency_key", message)])


def _known(user: User, key: str, prepared: PreparedRun) -> Run | None:
    run = Run.objects.filter(submitter=user, idempotency_key=key).first()
    if run is not None and run.request_sha256 != prepared.request_sha256:
        raise Conflict(
            f"The idempotency key was already used for the run {run.id}, whose configuration is another "
            "one; use a new key."
        )
    return run


def _write(
    user: User, prepared: PreparedRun, source: RunSource, key: str | None, address: str | None
) -> Run:
    now = timezone.now()
    digest = prepared.configuration_sha256
    run = Run(
        id=prepared.run_id,
        name=prepared.name,
        version=prepared.version,
        configuration_json=prepared.configuration_json,
        configuration_sha256=digest,
        script=prepared.script,
        resources=prepared.resources,
        brought_inputs=brought.stored(prepared.inputs),
        lab=prepared.lab,
        submitter=user,
        system=prepared.system,
        account=prepared.account,
        directory=prepared.directory_hint,
        source=source,
        idempotency_key=key,
        request_sha256=prepared.request_sha256,
        key=new_key(),
        token_sha256=tokens.digest_of_new(prepared.run_id),
        state=RunState.QUEUED,
        desired=Desired.HOLD if prepared.held else Desired.RUN,
        event_seq=1,
        next_at=None if prepared.held else now,
        confirmed_at=now,
        confirmed_source=Confirmation.PORTAL,
    )
    data = {"source": source, "configuration_sha256": digest}
    origin = prepared.origin
    if origin is not None:
        run.origin, run.origin_kind = origin.run, origin.kind
        data["origin"] = str(origin.run.pk)
    with transaction.atomic():
        if origin is not None and origin.kind is OriginKind.RESUME:
            run.work_directory = claim_directory(origin.run)
        run.save(force_insert=True)
        archive.note_wish(run)
        RunEvent.objects.create(
            run=run,
            seq=1,
            at=now,
            actor=user.username,
            type="state",
            to_state=RunState.QUEUED,
            evidence=Confirmation.PORTAL,
            data=data,
        )
        words.index_new(run, prepared.configuration, prepared.version.schema)
        audit.record(
            user,
            "run.create",
            str(run.id),
            address=address,
            data={**data, "version": str(prepared.version)},
        )
        dispatch.ring_on_commit(dispatch.SUBMIT, prepared.account.pk)
        announce(run.pk, 1, "state")
    return run
