"""What a configuration asks for: which pipeline version, in the name of which lab, on which system."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import F, Q

from accounts.models import Lab
from accounts.policy import Scope, scope_of
from pipeline_management.choices import TransportKind
from pipeline_management.errors import NotAllowed, Problem
from pipeline_management.models import PipelineSystem, PipelineVersion, System, SystemAccount
from pipeline_management.querysets import visible_versions
from pipeline_management.services import system_access
from pipeline_management.services.schema_sentences import did_you_mean, one_of, shown

LATEST, DEVELOPMENT = "latest", "development"


@dataclass(slots=True)
class Resolution:
    """What could be found out; whatever is missing has a problem in ``problems``."""

    reference: str = ""
    version: PipelineVersion | None = None
    lab: Lab | None = None
    system: System | None = None
    account: SystemAccount | None = None
    problems: list[Problem] = field(default_factory=list)

    def complain(self, code: str, message: str, pointer: str) -> None:
        self.problems.append(Problem(code, message, pointer))


def resolve(user: User, document: dict[str, Any], pipeline: str | None = None) -> Resolution:
    """Read ``pipeline``, ``lab`` and ``system`` of a configuration; ``pipeline`` as an argument goes before.

    Unknown and invisible things give the same problem. Raises ``NotAllowed`` where the person knows the
    thing but may not use it.
    """
    scope = scope_of(user)
    if not scope.everything and not scope.labs:
        raise NotAllowed("You are not a member of any lab; ask an administrator to add you to one.")
    result = Resolution()
    _find_version(
        result, user, scope, pipeline or _word(result, document, "pipeline", required=True)
    )
    lab, system = _word(result, document, "lab"), _word(result, document, "system")
    if result.version is not None:
        if _is_readable(result, "/lab"):
            _find_lab(result, scope, result.version, lab)
        if _is_readable(result, "/system"):
            _find_system(result, user, result.version, system)
    return result


def _word(
    result: Resolution, document: dict[str, Any], key: str, *, required: bool = False
) -> str | None:
    value = document.get(key)
    if isinstance(value, str) and value:
        return value
    if key in document:
        found = "an empty string" if value == "" else shown(value)
        result.complain("type", f"{key} is {found}; expected its name as a string.", f"/{key}")
    elif required:
        message = f'The configuration lacks {key}: name it like "{key}": "name" or "name@version".'
        result.complain("required", message, "")
    return None


def _is_readable(result: Resolution, pointer: str) -> bool:
    return all(problem.pointer != pointer for problem in result.problems)


# --- pipeline ---------------------------------------------------------------------------------


def _find_version(result: Resolution, user: User, scope: Scope, reference: str | None) -> None:
    if reference is None:
        return
    result.reference = reference
    name, at, wanted = reference.partition("@")
    if not name or (at and not wanted):
        message = f"pipeline is {shown(reference)}; expected name or name@version."
        result.complain("pipeline", message, "/pipeline")
        return
    versions = (
        visible_versions(user, scope).filter(pipeline__name=name).order_by("-sort_key", "-pk")
    )
    wanted = wanted or LATEST
    if wanted == LATEST:
        released = versions.filter(is_development=False)
        chosen = released.order_by("-is_pinned", "-sort_key", "-pk").first()
    elif wanted == DEVELOPMENT:
        chosen = versions.filter(is_development=True).first()
    else:
        chosen = versions.filter(version=wanted).first()
    # Some databases compare without regard to case.
    if chosen and chosen.pipeline.name == name and wanted in (LATEST, DEVELOPMENT, chosen.version):
        result.version = chosen
        return
    result.complain("pipeline", _unknown_version(user, name, wanted), "/pipeline")


def _unknown_version(user: User, name: str, wanted: str) -> str:
    rows = visible_versions(user).order_by("-sort_key", "-pk")
    names = rows.values_list("pipeline__name", "version", "is_development")
    of_pipeline = [(version, dev) for other, version, dev in names if other == name]
    if not of_pipeline:
        guess = did_you_mean(name, sorted({other for other, _, _ in names}))
        return f"There is no pipeline {shown(name)} that you may run{guess}."
    known = ", ".join(
        f"{version} (development)" if dev else version for version, dev in of_pipeline[:20]
    )
    if wanted == LATEST:
        return f"The pipeline {name} has no released version; there are {known}."
    if wanted == DEVELOPMENT:
        return f"The pipeline {name} has no development version; there are {known}."
    return f"The pipeline {name} has no version {shown(wanted)}; there are {known}."


# --- lab --------------------------------------------------------------------------------------


def _find_lab(
    result: Resolution, scope: Scope, version: PipelineVersion, wanted: str | None
) -> None:
    if scope.everything:
        _find_lab_for_administrator(result, scope, wanted)
        return
    labs = list(Lab.objects.filter(pk__in=scope.labs))
    everywhere = version.all_labs
    allowed = scope.labs if everywhere else set(version.labs.values_list("pk", flat=True))
    submits = [lab for lab in labs if lab.pk in scope.submits]
    usable = [lab for lab in submits if lab.pk in allowed]
    if wanted is not None:
        lab = _named(labs, wanted)
        if lab is None:
            message = f"There is no lab {shown(wanted)} of yours; {_expected(usable)}"
            result.complain("lab", message, "/lab")
            return
        if lab not in submits:
            raise NotAllowed(
                f"You may look at the runs of {lab}, but not submit in its name: ask one of its managers."
            )
        if lab not in usable:
            raise NotAllowed(f"{lab} may not run {version}; {_expected(usable)}")
        result.lab = lab
    elif len(usable) == 1:
        result.lab = usable[0]
    elif usable:
        message = f"You are in several labs: name the one that this run is for; {_expected(usable)}"
        result.complain("lab", message, "/lab")
    elif submits:
        raise NotAllowed(f"None of the labs in whose name you may submit may run {version}.")
    else:
        raise NotAllowed(
            "You may look at the runs of your labs, but not submit: ask one of their managers."
        )


def _find_lab_for_administrator(result: Resolution, scope: Scope, wanted: str | None) -> None:
    if wanted is not None:
        result.lab = _named(list(Lab.objects.filter(Q(slug=wanted) | Q(name=wanted))), wanted)
        if result.lab is None:
            result.complain("lab", f"There is no lab {shown(wanted)}.", "/lab")
        return
    labs = list(Lab.objects.all()[:50])
    own = [lab for lab in labs if lab.pk in scope.submits] or labs
    if len(own) == 1:
        result.lab = own[0]
    elif own:
        message = f"There are several labs: name the one that this run is for; {_expected(own)}"
        result.complain("lab", message, "/lab")
    else:
        result.complain("lab", "There is no lab yet: create one first.", "/lab")


def _named(labs: list[Lab], word: str) -> Lab | None:
    by_slug = next((lab for lab in labs if lab.slug == word), None)
    return by_slug or next((lab for lab in labs if lab.name == word), None)


def _expected(labs: list[Lab]) -> str:
    return f"expected {one_of(lab.slug for lab in labs)}." if labs else "you may submit for none."


# --- system -----------------------------------------------------------------------------------


def _find_system(
    result: Resolution, user: User, version: PipelineVersion, wanted: str | None
) -> None:
    """The first of the version's systems on which there is an account: the person's own before the one
    for everybody."""
    rows = (
        system_access.candidates(user)
        .filter(system__pipeline_systems__version=version)
        .annotate(position=F("system__pipeline_systems__position"))
    )
    accounts = [row for row in rows if wanted in (None, row.system.name)]
    if accounts:
        best = min(
            accounts, key=lambda row: (row.position, row.system_id, system_access.is_shared(row))
        )
        result.system, result.account = best.system, best
    else:
        _explain_no_system(result, version, wanted)


def _explain_no_system(result: Resolution, version: PipelineVersion, wanted: str | None) -> None:
    rows = PipelineSystem.objects.filter(version=version).select_related("system")
    systems = [row.system for row in rows.order_by("position", "pk")]
    enabled = [system.name for system in systems if system.enabled]
    if not enabled:
        result.complain("system", f"{version} has no system that is switched on.", "")
    elif wanted is None or wanted in enabled:
        names = one_of([wanted] if wanted else enabled)
        message = f"You have no account on {names}: ask an administrator to add one."
        result.complain("account", message, "/system" if wanted else "")
    else:
        is_off = any(system.name == wanted for system in systems)
        why = "is switched off at present" if is_off else f"is not one on which {version} runs"
        message = f"The system {shown(wanted)} {why}; expected {one_of(enabled)}."
        result.complain("system", message, "/system")


def work_directory(system: System, account: SystemAccount) -> str:
    """The absolute directory on the system under which the account's runs live.

    ``{username}`` stands for the account's user name. On this machine a relative path is one within the
    state directory.
    """
    path = system.workdir.replace("{username}", account.username)
    if system.transport == TransportKind.LOCAL and not path.startswith("/"):
        path = str(Path(settings.CENTRO_VAR).resolve() / path)
    return path.rstrip("/") or "/"
