"""/status/*, the addresses themselves, who may reach which system, and what a request may carry."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from drf_spectacular.validation import validate_schema

from accounts.models import Credential, CredentialKind
from pipeline_management.choices import HealthState
from pipeline_management.models import System
from tests.factories import make_account, make_system, make_user
from tests.firecrest.desk import ROOT, Desk, error_headers, token_of

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
SERVICES = ("certificator", "utilities", "compute", "tasks", "storage", "reservations")


@pytest.fixture
def get(db: None) -> Any:
    """Asks as a person with accounts on two systems, of which one is not the person's own."""
    user = make_user("alice")
    near = make_system(
        "near", filesystems=[{"name": "HOME", "path": "/home", "description": "homes"}],
        limits={"max_file_size_mb": 7, "command_timeout": 2.5},
    )  # fmt: skip
    far = make_system(
        "far", transport="ssh", scheduler="slurm", host="127.0.0.1", port=1, host_keys=[HOST_KEY]
    )
    make_account(near, user)
    make_account(far, credential=Credential.objects.create(kind=CredentialKind.KEY, secret="-"))
    make_account(make_system("foreign"), make_user("bob"))
    make_account(make_system("off", enabled=False), user)
    token = token_of(user)

    def ask(path: str) -> Any:
        return Client().get(ROOT + path, headers={"Authorization": f"Bearer {token}"})

    return ask


def test_services(get: Any) -> None:
    body = get("/status/services").json()
    assert set(body) == {"description", "out"}
    assert {service["service"] for service in body["out"]} == set(SERVICES)
    for name in SERVICES:
        one = get(f"/status/services/{name}").json()
        assert one in body["out"]
        assert one["service"] == name
        assert one["status"] == "available"
        assert one["status_code"] == 200
        assert isinstance(one["description"], str)
    missing = get("/status/services/none")
    assert missing.status_code == 404
    assert missing.json() == {"description": "Service does not exists", "status_code": 404}


def test_systems(get: Any) -> None:
    """Those with an account, and whether they were there when somebody last looked."""
    ready = {"status": "available", "description": "System ready"}
    assert get("/status/systems").json()["out"] == [
        {"system": "far"} | ready,
        {"system": "near"} | ready,
    ]
    one = get("/status/systems/near").json()
    assert one["out"] == {"system": "near"} | ready
    assert isinstance(one["description"], str)
    for name in ("none", "foreign", "off", "NEAR"):
        answer = get(f"/status/systems/{name}")
        assert answer.status_code == 404
        assert answer.json() == {"description": "System does not exists."}


@pytest.mark.parametrize(
    ("health", "minutes", "description"),
    [
        (HealthState.DOWN, 1, "System down"),
        (HealthState.BLOCKED, 1, "System does not accept connections"),
        (HealthState.DEGRADED, 1, None),
        (HealthState.OK, 1, None),
        (HealthState.DOWN, 11, None),  # too long ago to say anything about now
    ],
)
def test_a_system_that_is_down(
    get: Any, health: HealthState, minutes: int, description: str | None
) -> None:
    then = timezone.now() - timedelta(minutes=minutes)
    near = System.objects.get(name="near")
    near.health, near.health_at = health, then
    near.save()
    system = get("/status/systems/near").json()["out"]
    (home,) = get("/status/filesystems/near").json()["out"]
    if description is None:
        assert (system["status"], system["description"]) == ("available", "System ready")
        assert (home["status"], home["status_code"]) == ("available", 200)
    else:
        assert (system["status"], system["description"]) == ("not available", description)
        assert (home["status"], home["status_code"]) == ("not available", 400)


def test_filesystems(get: Any) -> None:
    home = {
        "name": "HOME", "path": "/home", "description": "homes", "status": "available", "status_code": 200,
    }  # fmt: skip
    body = get("/status/filesystems").json()
    assert body == {"description": "Filesystem information", "out": {"far": [], "near": [home]}}
    assert get("/status/filesystems/near").json()["out"] == [home]
    missing = get("/status/filesystems/none")
    assert missing.status_code == 404
    assert missing.json()["out"] == "System 'none' doesn't exist"
    assert isinstance(missing.json()["description"], str)


def test_parameters(get: Any) -> None:
    """The limits are the smallest of the person's systems."""
    body = get("/status/parameters").json()
    assert body["description"] == "Firecrest's parameters"
    assert set(body["out"]) == {"general", "compute", "utilities", "storage"}
    entries = {}
    for section in body["out"].values():
        assert section  # the command line takes the first of each
        for entry in section:
            assert set(entry) == {"name", "value", "unit", "description"}
            entries[entry["name"]] = (entry["value"], entry["unit"])
    assert entries["FIRECREST_VERSION"] == ("1.16.6", "")
    assert entries["WORKLOAD_MANAGER"] == ("Slurm", "")
    assert entries["UTILITIES_MAX_FILE_SIZE"] == ("5", "MB")
    assert entries["UTILITIES_TIMEOUT"] == ("2.5", "seconds")
    assert entries["OBJECT_STORAGE"] == ("s3v4", "")
    assert entries["STORAGE_TEMPURL_EXP_TIME"] == ("604800", "seconds")
    assert entries["STORAGE_MAX_FILE_SIZE"] == ("5120", "MB")
    assert entries["FILESYSTEMS"] == (
        [{"system": "far", "mounted": []}, {"system": "near", "mounted": ["/home"]}], "",
    )  # fmt: skip


def test_status_asks_no_system(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("hpc.transports.pool.open_transport", refuse)
    for path in ("services", "systems", "filesystems", "parameters", "systems/far"):
        assert get(f"/status/{path}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/status/services/tasks", "/status/services/tasks/", "//status/services/tasks",
        "/status//services///tasks//",
    ],
)  # fmt: skip
def test_slashes_do_not_matter(get: Any, path: str) -> None:
    answer = get(path)
    assert answer.status_code == 200
    assert answer.json()["service"] == "tasks"


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/status", "/utilities/ls/more", "/x\ny", "/%00"]
)
def test_unknown_addresses(get: Any, path: str) -> None:
    """404 as JSON, after the token; whatever the method."""
    answer = get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"description", "message"}
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
        assert Client().generic(method, ROOT + path).status_code == 401


def test_other_methods(get: Any) -> None:
    headers = {"Authorization": get("/status/systems").wsgi_request.META["HTTP_AUTHORIZATION"]}
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = Client().generic(method, f"{ROOT}/status/systems", headers=headers)
        assert answer.status_code == 405
        assert "not allowed" in answer.json()["description"]
        assert answer["Allow"] == "GET, HEAD"


def test_what_a_client_accepts_is_ignored(get: Any) -> None:
    headers = {"Authorization": get("/status/systems").wsgi_request.META["HTTP_AUTHORIZATION"]}
    for accepted in ("text/html", "application/xml", "nonsense"):
        answer = Client().get(f"{ROOT}/status/systems", headers={**headers, "Accept": accepted})
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers


def test_the_description(get: Any) -> None:
    """Every endpoint is in it, with every status that it can answer."""
    from api.firecrest.urls import described

    document = get("/schema/").json()
    validate_schema(document)
    assert document["openapi"].startswith("3.")
    assert document["servers"] == [{"url": ROOT}]
    routes = {re.sub(r"<(?:str:)?(\w+)>", r"{\1}", f"/{pattern.pattern}") for pattern in described}
    assert set(document["paths"]) == routes
    operations = [o for methods in document["paths"].values() for o in methods.values()]
    assert not [
        o for o in operations if o["operationId"][-1].isdigit()
    ]  # a number tells of a collision
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            codes = set(operation["responses"])
            assert {"400", "401", "404", "405", "429", "503"} <= codes, path
            assert len([code for code in codes if code < "300"]) == 1
    assert not [path for path in document["paths"] if path.startswith("/firecrest")]
    assert Client().get(f"{ROOT}/schema").status_code == 401


# --- X-Machine-Name -----------------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize(
    ("machine", "header", "error"),
    [
        ("none", "X-Machine-Does-Not-Exist", "Machine does not exist"),
        ("CLUSTER", "X-Machine-Does-Not-Exist", "Machine does not exist"),
        ("foreign", "X-Permission-Denied", "alice has no account on foreign."),
        ("off", "X-Machine-Not-Available", "off is switched off at present."),
        ("down", "X-Machine-Not-Available", None),
    ],
)
def test_machines(desk: Desk, machine: str, header: str, error: str | None) -> None:
    answer = desk.ask("GET", "/utilities/whoami", machine=machine)
    assert answer.status_code == 400
    assert list(error_headers(answer)) == [header]
    body = answer.json()
    assert body["description"] == "Error on whoami operation"
    assert error is None or body["error"] == error
    assert body["error"]


@pytest.mark.lab
def test_no_machine(desk: Desk) -> None:
    for machine in (None, "", "  "):
        answer = desk.ask("GET", "/utilities/whoami", machine=machine)
        assert (answer.status_code, answer.json()) == (
            400,
            {"description": "No machine name given"},
        )
        assert error_headers(answer) == {}


@pytest.mark.lab
def test_a_system_that_refuses_the_log_in(desk: Desk) -> None:
    account = System.objects.get(name="cluster").accounts.get(user=desk.alice)
    account.username = "nobody"
    account.save()
    answer = desk.utility("GET", "whoami")
    assert (answer.status_code, list(error_headers(answer))) == (400, ["X-Permission-Denied"])


@pytest.mark.lab
def test_a_dead_system_is_told_quickly_and_says_why(desk: Desk) -> None:
    """After three failures nobody tries for a while, and the answer still names the reason."""
    for _ in range(4):
        started = time.monotonic()
        answer = desk.ask("GET", "/utilities/whoami", machine="down")
        assert answer.status_code == 400
    assert time.monotonic() - started < 0.5
    assert "failed 3 times in a row" in answer.json()["error"]
    assert "refused" in answer.json()["error"].lower()


@pytest.mark.lab
def test_everybody_s_account_on_this_machine_is_for_administrators(desk: Desk) -> None:
    """It is the one that Centro runs as, and could read Centro's own secrets."""
    make_account(make_system("here"))
    answer = desk.ask("GET", "/utilities/whoami", machine="here")
    assert (answer.status_code, list(error_headers(answer))) == (400, ["X-Permission-Denied"])
    desk.alice.is_staff = True
    desk.alice.save()
    assert desk.ask("GET", "/utilities/whoami", machine="here").status_code == 200


@pytest.mark.lab
def test_one_s_own_account_goes_before_everybody_s(desk: Desk) -> None:
    cluster = System.objects.get(name="cluster")
    key = cluster.accounts.get(user=desk.alice).credential
    make_account(cluster, username=desk.lab.layout.settings.users[-1], credential=key)
    assert desk.utility("GET", "whoami").json()["output"] == desk.unix_user


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"targetPath": "/tmp"}', 415),
        ("text/plain", b"targetPath=/tmp", 415),
        ("multipart/form-data", b"targetPath", 400),
        ("multipart/form-data; boundary=X", b"no boundary", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 300), 400),
        ("application/x-www-form-urlencoded", b"x" * (1024 * 1024 + 1), 400),
        ("application/x-www-form-urlencoded", b"x" * (5 * 1024 * 1024 + 1), 413),
        ("", b"", 400),
    ],
    ids=[
        "json",
        "text",
        "no boundary",
        "empty",
        "many fields",
        "long form",
        "over the limit",
        "none",
    ],
)
def test_bodies_that_are_no_forms(desk: Desk, kind: str, body: bytes, status: int) -> None:
    for method, path in (
        ("POST", "/utilities/mkdir"),
        ("PUT", "/utilities/chmod"),
        ("DELETE", "/utilities/rm"),
    ):
        answer = desk.raw(method, path, body, kind)
        assert answer.status_code == status, answer.content
        assert answer.json()["description"]
        assert error_headers(answer) == {}


@pytest.mark.lab
def test_a_body_without_a_length(desk: Desk) -> None:
    answer = desk.raw(
        "POST", "/utilities/mkdir", b"", "application/x-www-form-urlencoded",
        headers={"Transfer-Encoding": "chunked", "Content-Length": ""},
    )  # fmt: skip
    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["error"]
