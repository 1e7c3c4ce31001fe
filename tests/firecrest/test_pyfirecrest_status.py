"""Status through the real clients, and that no public method of theirs is left out."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import firecrest
import pytest
import requests
from firecrest.v1 import AsyncFirecrest, Firecrest

from tests.firecrest.portal import CLUSTER, DOWN, FOREIGN, HASTY, Portal

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SERVICES = {"certificator", "utilities", "compute", "tasks", "storage", "reservations"}
# the staging area has a service of its own
EXTERNAL = {"external_upload", "external_download"}
# the clients' own affairs, without a request
LOCAL = {"set_api_version", "log", "close_session", "create_new_session", "is_session_closed"}


def test_services(alice: Any) -> None:
    services = {service["service"]: service for service in alice.all_services()}
    assert set(services) >= SERVICES
    for name, service in services.items():
        assert service["status"] == "available"
        assert service["status_code"] == 200
        assert alice.service(name) == service
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.service("cooking")
    assert refused.value.responses[-1].json()["status_code"] == 404


def test_systems(alice: Any) -> None:
    systems = {system["system"]: system for system in alice.all_systems()}
    assert systems[CLUSTER]["status"] == "available"
    assert systems[CLUSTER]["description"] == "System ready"
    assert alice.system(CLUSTER) == systems[CLUSTER]
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.system("nowhere")
    answer = refused.value.responses[-1]
    assert (answer.status_code, answer.json()) == (404, {"description": "System does not exists."})


def test_systems_are_those_of_the_caller(alice: Any, bob: Any) -> None:
    assert {system["system"] for system in alice.all_systems()} == {CLUSTER, HASTY, DOWN}
    assert {system["system"] for system in bob.all_systems()} == {CLUSTER, FOREIGN}


def test_filesystems(portal: Portal, alice: Any) -> None:
    everywhere = alice.filesystems()
    assert CLUSTER in everywhere
    found = {entry["name"]: entry for entry in everywhere[CLUSTER]}
    assert found["HOME"]["path"] == "/home"
    assert (found["HOME"]["status"], found["HOME"]["status_code"]) == ("available", 200)
    one = alice.filesystems(CLUSTER)
    assert [entry["name"] for entry in one[CLUSTER]] == ["HOME", "WORK"]
    with pytest.raises(firecrest.FirecrestException):
        alice.filesystems("nowhere")


def test_parameters(alice: Any) -> None:
    parameters = alice.parameters()
    values = {
        entry["name"]: (entry["value"], entry["unit"])
        for section in ("general", "compute", "utilities", "storage")
        for entry in parameters[section]
    }
    assert values["WORKLOAD_MANAGER"] == ("Slurm", "")
    assert values["UTILITIES_MAX_FILE_SIZE"] == ("5", "MB")
    assert values["UTILITIES_TIMEOUT"][1] == "seconds"
    mounted = {entry["system"]: entry["mounted"] for entry in values["FILESYSTEMS"][0]}
    assert "/home" in mounted[CLUSTER]


def test_both_ways_to_send_the_secret(portal: Portal) -> None:
    for method in ("client_secret_post", "client_secret_basic"):
        client = Firecrest(portal.url, portal.authorization("alice", method))
        assert client.whoami(CLUSTER) == portal.unix_user("alice")


def test_a_wrong_secret_gives_no_token(portal: Portal) -> None:
    wrong = firecrest.ClientCredentialsAuth("alice-client", "not the secret", portal.token_url)
    with pytest.raises(firecrest.ClientsCredentialsException) as refused:
        wrong.get_access_token()
    assert refused.value.responses[-1].status_code in (400, 401)
    assert refused.value.responses[-1].json()["error"] == "invalid_client"


def test_both_forms_of_an_address_and_doubled_slashes(portal: Portal) -> None:
    headers = {"Authorization": f"Bearer {portal.token('alice')}", "X-Machine-Name": CLUSTER}
    for path in ("/tasks", "/tasks/", "//tasks", "/status/systems/", "//status/systems"):
        answer = requests.get(portal.url + path, headers=headers, allow_redirects=False, timeout=30)
        assert answer.status_code == 200, path
    made = requests.post(
        f"{portal.url}//utilities/mkdir/", headers=headers, timeout=30, allow_redirects=False
    )
    assert (made.status_code, made.json()["error"]) == (400, "'targetPath' not specified")


@pytest.mark.parametrize("kind", [Firecrest, AsyncFirecrest])
def test_no_public_method_is_left_out(kind: type) -> None:
    """A call somewhere in these modules, on the fixtures that stand for both clients."""
    called = {
        node.func.attr
        for path in Path(__file__).parent.glob("test_pyfirecrest*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("alice", "bob")
    }
    public = {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}
    assert len(public) > 45
    assert public >= EXTERNAL
    assert sorted(public - called - EXTERNAL - LOCAL) == []
