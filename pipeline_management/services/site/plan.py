"""Everything that a site file says, checked against itself and the database: ready to be written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pipeline_management.errors import InvalidRequest
from pipeline_management.models import Pipeline, PipelineVersion
from pipeline_management.services.documents import MAX_BODY, canonical_json, parse_document
from pipeline_management.services.engines.registry import ENGINES
from pipeline_management.services.rendering import check_template
from pipeline_management.services.rules.checking import check_rows
from pipeline_management.services.rules.vocabulary import check_rules
from pipeline_management.services.schema_check import check_schema
from pipeline_management.services.site.reading import Location, Source
from pipeline_management.services.site.references import check_references
from pipeline_management.services.site.schema import (
    MAX_DOCUMENTATION,
    LabPart,
    OAuthClientPart,
    PipelinePart,
    SiteFile,
    SystemPart,
    UserPart,
)
from pipeline_management.services.site.secrets import (
    Secret,
    read_credential,
    read_secret,
)
from pipeline_management.services.site.versions import content_sha256, sort_key
from pipeline_management.services.validation import validate


@dataclass(frozen=True, slots=True)
class PlannedUser:
    """A person with the password and, per system name, the secrets of the accounts."""

    part: UserPart
    password: str | None = field(repr=False)
    secrets: dict[str, Secret | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedVersion:
    """A pipeline version with its files read."""

    part: PipelinePart
    schema: dict[str, Any]
    script: str
    example: dict[str, Any]
    resources: dict[str, Any]
    sort_key: str
    documentation: str | None = None
    """Markdown; None: what is stored stays."""

    @property
    def content_sha256(self) -> str:
        """What must not change once there are runs."""
        return content_sha256(
            schema=self.schema,
            script=self.script,
            resources=self.resources,
            engine=self.part.engine,
            engine_options=self.part.engine_options,
            rules=self.part.rules,
        )

    def as_row(self) -> PipelineVersion:
        """What would be written, for trying it out."""
        part = self.part
        return PipelineVersion(
            pipeline=Pipeline(name=part.name),
            version=part.version,
            engine=part.engine,
            engine_options=part.engine_options,
            schema=self.schema,
            script=self.script,
            resources=self.resources,
            rules=part.rules,
        )


@dataclass(frozen=True, slots=True)
class PlannedClient:
    """An OAuth client with its secret."""

    part: OAuthClientPart
    secret: str = field(repr=False)


@dataclass(slots=True)
class Plan:
    """A site file that can be written as it is."""

    systems: list[tuple[SystemPart, Secret | None]] = field(default_factory=list)
    users: list[PlannedUser] = field(default_factory=list)
    labs: list[LabPart] = field(default_factory=list)
    versions: list[PlannedVersion] = field(default_factory=list)
    clients: list[PlannedClient] = field(default_factory=list)


def make_plan(source: Source, site: SiteFile) -> Plan:
    """Read what the file refers to and check all of it. Raises ``SiteError`` with every fault."""
    check_references(source, site)
    plan = Plan(labs=site.labs)
    for number, system in enumerate(site.systems):
        login = None
        if system.credential:
            login = read_credential(source, ("systems", number, "credential"), system.credential)
        plan.systems.append((system, login))
    for number, user in enumerate(site.users):
        plan.users.append(_user(source, ("users", number), user))
    for number, pipeline in enumerate(site.pipelines):
        version = _version(source, site, ("pipelines", number), pipeline)
        if version is not None:
            plan.versions.append(version)
            _check_unchanged(source, ("pipelines", number), version)
    for number, client in enumerate(site.oauth_clients):
        secret = read_secret(source, ("oauth_clients", number), client, "client_secret")
        if secret is not None:
            plan.clients.append(PlannedClient(client, secret))
    source.raise_faults()
    return plan


def _user(source: Source, location: Location, part: UserPart) -> PlannedUser:
    secrets = {
        account.system: read_credential(
            source, (*location, "accounts", number, "credential"), account.credential
        )
        for number, account in enumerate(part.accounts)
    }
    return PlannedUser(part, read_secret(source, location, part, "password"), secrets)


def _version(
    source: Source, site: SiteFile, location: Location, part: PipelinePart
) -> PlannedVersion | None:
    schema = _document(source, location, part.schema_, part.schema_file, "schema")
    example = _document(source, location, part.example, part.example_file, "example")
    script = part.script
    if part.script_file is not None:
        script = source.text_of((*location, "script_file"), part.script_file)
    if ENGINES[part.engine].makes_script:
        script = ""
    if script is None or schema is None or example is None:
        return None
    script = script.replace("\r\n", "\n").rstrip("\n") + "\n" if script else ""
    resources = part.resources.model_dump(exclude_none=True)
    documentation = _documentation(source, location, part)
    version = PlannedVersion(
        part, schema, script, example, resources, sort_key(part.version), documentation
    )
    if _is_usable(source, location, version) and example:
        _try_example(source, site, location, version)
    return version


def _documentation(source: Source, location: Location, part: PipelinePart) -> str | None:
    if part.documentation_file is None:
        return part.documentation
    here = (*location, "documentation_file")
    text = source.text_of(here, part.documentation_file)
    if text is not None and len(text) > MAX_DOCUMENTATION:
        source.complain(here, f"has {len(text)} characters, expected at most {MAX_DOCUMENTATION}")
    return text


def _document(
    source: Source, location: Location, inline: dict[str, Any] | None, name: str | None, key: str
) -> dict[str, Any] | None:
    """A JSON object given in the file or by a file; {} when not given, None where there are faults."""
    if inline is not None:
        return _as_json(source, (*location, key), inline)
    if name is None:
        return {}
    here = (*location, f"{key}_file")
    text = source.text_of(here, name)
    if text is None:
        return None
    try:
        return parse_document(text.encode()[: MAX_BODY + 1])
    except InvalidRequest as error:
        for problem in error.problems:
            place = f"line {problem.line}, column {problem.column}: " if problem.line else ""
            source.complain(here, f"{name}: {place}{problem.message}")
        return None


def _as_json(source: Source, location: Location, value: dict[str, Any]) -> dict[str, Any] | None:
    """YAML knows more than JSON (dates, keys that are numbers): only what JSON knows may be stored."""
    try:
        if json.loads(canonical_json(value)) == value:
            return value
    except (TypeError, ValueError):
        pass
    source.complain(
        location, "holds something that JSON does not know, such as a date or a number as key"
    )
    return None


def _is_usable(source: Source, location: Location, version: PlannedVersion) -> bool:
    part = version.part
    here = (*location, "schema_file" if part.schema_file else "schema")
    problems = check_schema(version.schema)
    for problem in problems:
        source.complain(here, f"{problem.pointer or 'the schema'}: {problem.message}")
    options = _check_options(source, location, version)
    rules = not problems and _check_rules(source, location, version)
    wrong = check_template(version.script)
    if wrong:
        source.complain((*location, "script_file" if part.script_file else "script"), wrong)
    return not problems and not wrong and options and rules


def _check_options(source: Source, location: Location, version: PlannedVersion) -> bool:
    """The engine's options; whether nothing is wrong with them."""
    part = version.part
    if _as_json(source, (*location, "engine_options"), part.engine_options) is None:
        return False
    problems = ENGINES[part.engine].check_options(part.engine_options)
    for problem in problems:
        place = tuple(
            int(name) if name.isdecimal() else name for name in problem.pointer.split("/")[1:]
        )
        source.complain((*location, "engine_options", *place), problem.message)
    return not problems


def _check_rules(source: Source, location: Location, version: PlannedVersion) -> bool:
    """The rules about rows; whether nothing is wrong with them."""
    rules = version.part.rules
    if _as_json(source, (*location, "rules"), {"rules": rules}) is None:
        return False
    problems = check_rules(rules, version.schema)
    for problem in problems:
        number, *rest = problem.pointer.split("/")[1:] or [""]
        place: Location = (int(number), *rest) if number else ()
        source.complain((*location, "rules", *place), problem.message)
    return not problems


def _try_example(
    source: Source, site: SiteFile, location: Location, version: PlannedVersion
) -> None:
    """The example must pass the schema and give a script: so the template's quoting is tried out."""
    part = version.part
    here = (*location, "example_file" if part.example_file else "example")
    problems = validate(version.example, version.schema)
    problems += check_rows(part.rules, version.example).errors
    for problem in problems:
        source.complain(here, problem.message)
    if problems:
        return
    engine, row = ENGINES[part.engine], version.as_row()
    refused = engine.check_configuration(row, version.example)
    for problem in refused:
        source.complain(here, problem.message)
    if refused:
        return
    scheduler = next(
        (system.scheduler for system in site.systems if system.name == part.systems[0]), ""
    )
    context = {
        "config": version.example,
        "run": {
            "id": "00000000-0000-0000-0000-000000000000",
            "directory": "/run",
            "name": "a name",
        },
        "pipeline": {"name": part.name, "version": part.version},
        "lab": {"slug": "lab", "name": "a lab"},
        "user": {"username": "user", "email": "user@example.org"},
        "system": {
            "name": part.systems[0],
            "username": "user",
            "scheduler": scheduler,
            "bin_dir": "",
        },
        "resources": version.resources,
    }
    try:
        engine.render(row, context)
    except InvalidRequest as error:
        here = (*location, "script_file" if part.script_file else "script")
        source.complain(here, f"tried with the example: {error.message}")


def _check_unchanged(source: Source, location: Location, version: PlannedVersion) -> None:
    part = version.part
    existing = PipelineVersion.objects.filter(
        pipeline__name=part.name, version=part.version, is_development=False
    ).first()
    if existing is None or existing.content_sha256 == version.content_sha256:
        return
    if existing.runs.exists():
        source.complain(
            (*location, "version"),
            f"{existing} has runs and would change (schema, script, resources, rules, engine or its options): "
            "publish it as a new version",
        )
