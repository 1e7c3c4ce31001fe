"""A system that cannot be used: its stored settings are broken, or it is in maintenance."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.fernet import Fernet
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import Credential, CredentialKind
from api.firecrest.errors import UNUSABLE_TEXT
from hpc.errors import ConnectFailed
from pipeline_management.models import ApiTask, Maintenance, Run, System, Transfer
from pipeline_management.services import clients, maintenance, native_jobs
from tests.factories import make_account, make_system, make_user
from tests.firecrest.desk import ROOT, error_headers, token_of
from tests.firecrest.test_status import HOST_KEY

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
AWAY = "X-Machine-Not-Available"
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "scheduler option": ({"scheduler_options": {"bin": "/x"}}, "bin"),
    "scheduler options a list": ({"scheduler_options": ["x"]}, "system 'broken'"),
    "scheduler unknown": ({"scheduler": "lsf"}, "scheduler 'lsf' is not known"),
    "limit unknown": ({"limits": {"speed": 1}}, "limits.speed is 1, expected a number above 0"),
    "limit no number": ({"limits": {"command_timeout": "soon"}}, "command_timeout is 'soon'"),
    "limits a list": ({"limits": [5]}, "system 'broken'"),
    "no host key": ({"transport": "ssh", "host": "h"}, "host_keys is empty"),
    "bad host key": ({"transport": "ssh", "host": "h", "host_keys": ["x"]}, "host key 'x'"),
    "host keys of numbers": (
        {"transport": "ssh", "host": "h", "host_keys": [7]},
        "system 'broken'",
    ),
}
JOBS = [
    ("POST", "/compute/jobs/upload", {}),
    ("POST", "/compute/jobs/path", {"targetPath": "/tmp/x.sh"}),
    ("POST", "/storage/xfer-internal/cp", {"sourcePath": "/tmp/a", "targetPath": "/tmp/b"}),
]
OTHERS = [
    ("GET", "/utilities/whoami", {}),
    ("GET", "/utilities/ls", {"targetPath": "/tmp"}),
    ("GET", "/utilities/view", {"targetPath": "/tmp/x"}),
    ("POST", "/utilities/mkdir", {"targetPath": "/tmp/x"}),
    ("GET", "/compute/jobs", {}),
    ("GET", "/compute/acct", {}),
    ("GET", "/compute/nodes", {}),
    ("DELETE", "/compute/jobs/17", {}),
    ("POST", "/storage/xfer-external/upload", {"sourcePath": "a", "targetPath": "/tmp"}),
    ("POST", "/storage/xfer-external/download", {"sourcePath": "/tmp/a"}),
]


class Asking:
    """A person with accounts of her own on ``fine`` and on ``broken``."""

    def __init__(self, **fields: Any) -> None:
        self.user = make_user("alice")
        self.fine, self.broken = make_system("fine"), make_system("broken", **fields)
        for system in (self.fine, self.broken):
            make_account(system, self.user)
        self._token = token_of(self.user)

    def ask(self, method: str, path: str, fields: dict[str, Any], machine: str = "broken") -> Any:
        """An error that nobody foresaw is raised, not answered."""
        headers = {"Authorization": f"Bearer {self._token}", "X-Machine-Name": machine}
        if path.endswith("/upload") and "compute" in path:
            fields = {"file": SimpleUploadedFile("j.sh", b"#!/bin/sh\ntrue\n")}
        if method != "POST":
            return Client().generic(
                method, ROOT + path, QUERY_STRING=urlencode(fields), headers=headers
            )
        return Client().post(ROOT + path, fields, headers=headers)

    def standing(self, name: str) -> tuple[str, str]:
        """Status and description as ``/status/systems/<name>`` tells them."""
        out = self.ask("GET", f"/status/systems/{name}", {}).json()["out"]
        listed = self.ask("GET", "/status/systems", {}).json()["out"]
        assert out in listed
        return out["status"], out["description"]


def nothing_is_left() -> bool:
    return not (Run.objects.exists() or ApiTask.objects.exists() or Transfer.objects.exists())


# --- broken settings ----------------------------------------------------------------------------


@pytest.mark.parametrize("what", list(BROKEN))
def test_unusable_settings_are_told_as_a_system_that_is_away(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields, reason = BROKEN[what]
    asking = Asking(**fields)
    with caplog.at_level(logging.ERROR, logger=clients.__name__):
        for method, path, values in (("GET", "/utilities/whoami", {}), *JOBS[:1]):
            answer = asking.ask(method, path, values)
            assert (answer.status_code, list(error_headers(answer))) == (400, [AWAY]), path
            assert answer.json()["error"] == answer[AWAY] == UNUSABLE_TEXT
    told = [record.getMessage() for record in caplog.records if reason in record.getMessage()]
    assert len(told) == 1, "the operator is told the reason, and once"
    assert asking.standing("broken") == ("not available", "System does not accept connections")
    assert asking.standing("fine") == ("available", "System ready")
    assert asking.ask("GET", "/status/parameters", {}).status_code == 200
    assert nothing_is_left()


@pytest.mark.parametrize(
    ("method", "path", "fields"), [*JOBS, *OTHERS], ids=lambda value: str(value)
)
def test_every_service_says_so(method: str, path: str, fields: dict[str, Any]) -> None:
    asking = Asking(scheduler_options={"bin": "/x"})
    answer = asking.ask(method, path, fields)
    assert (answer.status_code, list(error_headers(answer))) == (400, [AWAY]), answer.content
    assert UNUSABLE_TEXT in answer.content.decode()
    assert nothing_is_left()


def test_a_credential_that_no_key_opens_is_told_alike(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ssh = {"transport": "ssh", "host": "h", "host_keys": [HOST_KEY]}
    asking = Asking(**ssh)
    credential = Credential.objects.create(kind=CredentialKind.KEY, secret="x")
    asking.broken.accounts.update(credential=credential)
    settings.CENTRO_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for method, path, values in (OTHERS[0], JOBS[0]):
        answer = asking.ask(method, path, values)
        assert (answer.status_code, answer[AWAY]) == (400, UNUSABLE_TEXT)
    assert "encrypted with a key that is not in encryption_keys" in caplog.text
    assert asking.standing("fine") == ("available", "System ready")
    assert nothing_is_left()


def test_mended_settings_are_used_and_a_new_fault_is_logged_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = make_account(make_system("s", limits={"speed": 1}), make_user())
    with caplog.at_level(logging.ERROR, logger=clients.__name__):
        for limits in ({"speed": 1}, {"speed": 1}, {}, {"speed": 1}, {"speed": 2}):
            System.objects.filter(pk=account.system_id).update(limits=limits)
            account.system.refresh_from_db()
            if limits:
                with pytest.raises(clients.SettingsUnusable):
                    clients.client_for(account)
            else:
                assert clients.client_for(account).username == account.username
    assert len(caplog.records) == 3


# --- maintenance --------------------------------------------------------------------------------


def announce(system: System | None, **more: Any) -> Maintenance:
    now = timezone.now()
    fields = {"starts_at": now - HOUR, "ends_at": now + HOUR, "text": "New „disks“."} | more
    one = Maintenance(system=system, **fields)
    one.full_clean()
    maintenance.announce(one, make_user(staff=True))
    return one


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The systems that submissions would have gone to; none is."""
    names: list[str] = []

    def away(account: Any) -> None:
        names.append(account.system.name)
        raise ConnectFailed("stopped by the test")

    monkeypatch.setattr(native_jobs, "client_for", away)
    return names


@pytest.mark.parametrize(("method", "path", "fields"), JOBS, ids=lambda value: str(value))
@pytest.mark.parametrize("everywhere", [False, True])
def test_job_scripts_are_refused_during_a_maintenance(
    reached: list[str], method: str, path: str, fields: dict[str, Any], everywhere: bool
) -> None:
    asking = Asking()
    one = announce(None if everywhere else asking.broken)
    answer = asking.ask(method, path, fields)
    assert (answer.status_code, list(error_headers(answer))) == (400, [AWAY])
    error = answer.json()["error"]
    assert error == f"broken is in maintenance until {one.ends_at:%Y-%m-%d %H:%M} UTC: New „disks“."
    assert answer[AWAY].isascii() and answer[AWAY].startswith("broken is in maintenance until 20")
    assert (reached, nothing_is_left()) == ([], True)
    maintenance.end(one, asking.user)
    answer = asking.ask(method, path, fields)
    assert (reached, answer.json()["error"]) == (["broken"], "stopped by the test")


def test_the_status_of_a_system_in_maintenance(reached: list[str]) -> None:
    asking = Asking()
    System.objects.update(filesystems=[{"name": "HOME", "path": "/home", "description": ""}])
    assert asking.standing("broken") == ("available", "System ready")
    announce(asking.broken, ends_at=None)
    assert asking.standing("broken") == (
        "not available",
        "broken is in maintenance: New „disks“.",
    )
    assert asking.standing("fine") == ("available", "System ready")
    (home,) = asking.ask("GET", "/status/filesystems/broken", {}).json()["out"]
    assert home["status"] == "available", "files are still there"
    announce(None, text="All of it")
    assert asking.standing("fine")[0] == "not available"


@pytest.mark.parametrize(
    "more",
    [
        {"holds_runs": False},
        {"starts_at": timezone.now() + HOUR, "ends_at": timezone.now() + 2 * HOUR},
        {"starts_at": timezone.now() - 2 * HOUR, "ends_at": timezone.now() - HOUR},
    ],
    ids=["announced only", "to come", "over"],
)
def test_other_announcements_hinder_nothing(reached: list[str], more: dict[str, Any]) -> None:
    asking = Asking()
    announce(asking.broken, **more)
    announce(asking.fine)
    asking.ask(*JOBS[0])
    assert reached == ["broken"]
    assert asking.standing("broken") == ("available", "System ready")


def test_the_answer_of_several_announcements_is_the_last_to_end() -> None:
    system = make_system()
    announce(system, text="first")
    announce(None, text="second", ends_at=timezone.now() + 2 * HOUR)
    assert maintenance.closed_systems([system])[system.pk].endswith("second.")
    assert maintenance.closed_systems([]) == {}
