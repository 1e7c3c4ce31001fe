"""Names in a site file that must be unique, and names that must lead to something."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from django.contrib.auth.models import User

from accounts.models import Credential, Lab
from pipeline_management.models import System
from pipeline_management.services.schema_sentences import did_you_mean
from pipeline_management.services.site.reading import Location, Source
from pipeline_management.services.site.schema import SiteFile


def shared_credential_name(system: str) -> str:
    """The name under which a system's own credential is stored."""
    return f"{system}/*"


def check_references(source: Source, site: SiteFile) -> None:
    """Note everything named twice and everything named that is neither in the file nor in the database."""
    _unique(source, "systems", "name", (system.name for system in site.systems))
    _unique(source, "users", "username", (user.username for user in site.users))
    _unique(source, "labs", "slug", (lab.slug for lab in site.labs))
    _unique(source, "labs", "name", (lab.name for lab in site.labs))
    _unique(source, "pipelines", "version", ((p.name, p.version) for p in site.pipelines))
    _unique(source, "oauth_clients", "client_id", (c.client_id for c in site.oauth_clients))
    _check_accounts(source, site)
    _check_members(source, site)
    _check_pipelines(source, site)
    _check_clients(source, site)


def _unique(source: Source, section: str, key: str, names: Iterable[Hashable]) -> None:
    first: dict[Hashable, int] = {}
    for number, name in enumerate(names):
        if name in first:
            source.complain(
                (section, number, key), f"is the same as that of {section}[{first[name]}]"
            )
        first.setdefault(name, number)


def _known(source: Source, location: Location, name: str, known: set[str], kind: str) -> bool:
    if name in known:
        return True
    guess = did_you_mean(name, sorted(known))
    source.complain(location, f"there is no {kind} {name!r}{guess}")
    return False


def _check_accounts(source: Source, site: SiteFile) -> None:
    stored = dict(System.objects.values_list("name", "transport"))
    transports = stored | {system.name: system.transport for system in site.systems}
    services = {system.name for system in site.systems if system.credential}
    names = Credential.objects.values_list("name", flat=True)
    services |= {name for name in stored if shared_credential_name(name) in set(names)}
    for number, user in enumerate(site.users):
        seen: set[str] = set()
        for row, account in enumerate(user.accounts):
            here: Location = ("users", number, "accounts", row)
            if not _known(source, (*here, "system"), account.system, set(transports), "system"):
                continue
            if account.system in seen:
                source.complain((*here, "system"), f"a second account on {account.system}")
            seen.add(account.system)
            if transports[account.system] == "local":
                message = (
                    f"{account.system} is this machine, where everybody uses Centro's own account"
                )
                source.complain((*here, "system"), message)
            elif account.credential.kind == "service" and account.system not in services:
                message = f"kind service needs a credential of the system {account.system} itself"
                source.complain((*here, "credential"), message)


def _people(site: SiteFile) -> set[str]:
    stored = User.objects.values_list("username", flat=True)
    return {user.username for user in site.users} | set(stored)


def _check_clients(source: Source, site: SiteFile) -> None:
    people = _people(site)
    for number, client in enumerate(site.oauth_clients):
        _known(source, ("oauth_clients", number, "user"), client.user, people, "user")


def _check_members(source: Source, site: SiteFile) -> None:
    people = _people(site)
    slugs = {lab.slug: lab.name for lab in site.labs}
    names = {name: slug for name, slug in Lab.objects.values_list("name", "slug")}
    for number, lab in enumerate(site.labs):
        for username in lab.members:
            _known(source, ("labs", number, "members", username), username, people, "user")
        owner = names.get(lab.name, lab.slug)
        if owner != lab.slug and owner not in slugs:
            message = f"another lab, {owner}, already has the name {lab.name!r}"
            source.complain(("labs", number, "name"), message)


def _check_pipelines(source: Source, site: SiteFile) -> None:
    systems = {system.name for system in site.systems} | set(
        System.objects.values_list("name", flat=True)
    )
    labs = {lab.slug for lab in site.labs} | set(Lab.objects.values_list("slug", flat=True))
    for number, pipeline in enumerate(site.pipelines):
        for row, name in enumerate(pipeline.systems):
            _known(source, ("pipelines", number, "systems", row), name, systems, "system")
        for row, slug in enumerate(pipeline.labs):
            if slug != "*":
                _known(source, ("pipelines", number, "labs", row), slug, labs, "lab with the slug")
