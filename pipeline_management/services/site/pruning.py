"""Removes what a site file does not name. What runs refer to is never removed: it is put out of use."""

from __future__ import annotations

from django.contrib.auth.models import User

from accounts.models import Credential, Lab, Membership, OAuthClient
from pipeline_management.models import Pipeline, PipelineVersion, System, SystemAccount
from pipeline_management.services.site.changes import Changes
from pipeline_management.services.site.schema import SiteFile

_RUNS = "runs refer to it"


def prune(site: SiteFile, changes: Changes) -> None:
    """Take away everything that the file does not name, in the order in which things depend on each other.

    Administrators stay: the first one is made before there is a site file. So do OAuth clients that people
    made themselves.
    """
    _prune_clients(site, changes)
    _prune_versions(site, changes)
    _prune_accounts(site, changes)
    _prune_members(site, changes)
    _prune_labs(site, changes)
    _prune_users(site, changes)
    _prune_systems(site, changes)
    for credential in Credential.objects.filter(accounts__isnull=True):
        if credential.name not in {f"{s.name}/*" for s in site.systems if s.credential}:
            changes.note("removed", "credential", credential.name)
            credential.delete()


def _prune_versions(site: SiteFile, changes: Changes) -> None:
    named = {(part.name, part.version) for part in site.pipelines}
    for version in PipelineVersion.objects.select_related("pipeline"):
        if (version.pipeline.name, version.version) in named:
            continue
        if not version.runs.exists():
            changes.note("removed", "version", str(version))
            version.delete()
        elif version.all_labs or version.labs.exists() or version.systems.exists():
            version.all_labs = False
            version.save(update_fields=["all_labs"])
            version.labs.clear()
            version.systems.clear()
            changes.note(
                "updated", "version", str(version), f"withdrawn from all labs and systems; {_RUNS}"
            )
        else:
            changes.note("kept", "version", str(version), f"{_RUNS}; it is withdrawn")
    for pipeline in Pipeline.objects.filter(versions__isnull=True):
        changes.note("removed", "pipeline", pipeline.name)
        pipeline.delete()


def _prune_clients(site: SiteFile, changes: Changes) -> None:
    named = [part.client_id for part in site.oauth_clients]
    for client in OAuthClient.objects.filter(from_site=True).exclude(client_id__in=named):
        changes.note("removed", "client", client.client_id)
        client.delete()


def _prune_accounts(site: SiteFile, changes: Changes) -> None:
    named: set[tuple[str, str | None]] = {
        (account.system, user.username) for user in site.users for account in user.accounts
    }
    named |= {
        (system.name, None)
        for system in site.systems
        if system.transport == "local" or (system.credential and system.credential.username)
    }
    for account in SystemAccount.objects.select_related("system", "user"):
        owner = account.user.username if account.user else None
        if (account.system.name, owner) in named:
            continue
        name = f"{account} for {owner or 'everybody'}"
        if account.runs.exists():
            changes.note("kept", "account", name, _RUNS)
        else:
            changes.note("removed", "account", name)
            account.delete()


def _prune_members(site: SiteFile, changes: Changes) -> None:
    named = {(lab.slug, username) for lab in site.labs for username in lab.members}
    for member in Membership.objects.select_related("lab", "user"):
        if (member.lab.slug, member.user.username) not in named:
            changes.note("removed", "member", f"{member.user.username} of {member.lab.slug}")
            member.delete()


def _prune_labs(site: SiteFile, changes: Changes) -> None:
    for lab in Lab.objects.exclude(slug__in=[part.slug for part in site.labs]):
        if lab.runs.exists():
            changes.note("kept", "lab", lab.slug, f"{_RUNS}; it has no members")
        else:
            changes.note("removed", "lab", lab.slug)
            lab.delete()


def _prune_users(site: SiteFile, changes: Changes) -> None:
    for user in User.objects.exclude(username__in=[part.username for part in site.users]):
        if user.is_staff:
            changes.note("kept", "user", user.username, "an administrator")
        elif not user.runs.exists():
            changes.note("removed", "user", user.username)
            user.delete()
        elif user.is_active:
            user.is_active = False
            user.save(update_fields=["is_active"])
            changes.note("updated", "user", user.username, f"locked; {_RUNS}")
        else:
            changes.note("kept", "user", user.username, f"{_RUNS}; locked")


def _prune_systems(site: SiteFile, changes: Changes) -> None:
    for system in System.objects.exclude(name__in=[part.name for part in site.systems]):
        if not system.runs.exists():
            changes.note("removed", "system", system.name)
            system.delete()
        elif system.enabled:
            system.enabled = False
            system.save(update_fields=["enabled"])
            changes.note("updated", "system", system.name, f"switched off; {_RUNS}")
        else:
            changes.note("kept", "system", system.name, f"{_RUNS}; switched off")
