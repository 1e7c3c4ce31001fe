"""/reservations on a real Slurm: what operators can do, what others are told, every check of the fields."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.firecrest.desk import error_headers
from tests.firecrest.slurm_jobs import data

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

NAME = "centro-desk"


def when(hours: int) -> str:
    """A time far enough ahead that no job of other tests is in the way."""
    return f"{datetime.now() + timedelta(days=20, hours=hours):%Y-%m-%dT%H:%M:%S}"


def fields(**changes: Any) -> dict[str, Any]:
    """All that a reservation needs; None leaves a field out."""
    values = {
        "reservation": NAME, "account": "acct1", "numberOfNodes": "1", "nodeType": "f7t",
        "starttime": when(0), "endtime": when(2),
    }  # fmt: skip
    return {name: value for name, value in (values | changes).items() if value is not None}


@pytest.fixture
def operator(desk: Desk) -> Iterator[Desk]:
    """Alice's Unix user may change reservations."""
    from pipeline_management.services import cluster

    lab = desk.lab
    user = f"name={lab.layout.settings.users[0]}"
    lab.slurm("sacctmgr", "-i", "modify", "user", "where", user, "set", "adminlevel=Operator")
    cluster.forget()
    yield desk
    for name in (NAME, "others", "mine"):
        if name in lab.slurm("scontrol", "show", "reservation", "-o"):
            lab.slurm("scontrol", "delete", f"ReservationName={name}")
    lab.slurm("sacctmgr", "-i", "modify", "user", "where", user, "set", "adminlevel=None")
    cluster.forget()


def reason(answer: Any, verb: str) -> str:
    """The description of a refusal."""
    assert answer.status_code == 400, answer.content
    assert error_headers(answer) == {}
    body = answer.json()
    assert set(body) == {"error", "description"}
    assert body["error"] == f"Error {verb} reservation"
    return str(body["description"])


def shown(desk: Desk, name: str = NAME) -> dict[str, str] | None:
    """The reservation as Slurm has it."""
    for line in desk.lab.slurm("scontrol", "show", "reservation", "-o").splitlines():
        words = dict(word.partition("=")[::2] for word in line.split(" "))
        if words.get("ReservationName") == name:
            return words
    return None


def test_create_look_change_and_delete(operator: Desk) -> None:
    desk = operator
    answer = desk.ask("POST", "/reservations", fields())
    assert (answer.status_code, error_headers(answer)) == (201, {}), answer.content
    found = shown(desk)
    assert found is not None
    assert (found["Accounts"], found["NodeCnt"], found["Features"]) == ("acct1", "1", "f7t")
    assert found["StartTime"] == fields()["starttime"][:-2] + found["StartTime"][-2:]
    listed = desk.ask("GET", "/reservations")
    assert listed.status_code == 200
    (row,) = [r for r in listed.json()["success"] if r["reservationname"] == NAME]
    assert row == {
        "reservationname": NAME, "starttime": found["StartTime"], "endtime": found["EndTime"],
        "state": "INACTIVE", "nodes": found["Nodes"], "nodecnt": "1", "features": "f7t",
        "accounts": "acct1", "users": "", "partitionname": "part01",
    }  # fmt: skip
    (row,) = data(desk, "/compute/reservations", reservations=NAME)
    assert row == {
        "ReservationName": NAME, "State": "INACTIVE", "Nodes": found["Nodes"],
        "StartTime": found["StartTime"], "EndTime": found["EndTime"], "Features": ["f7t"],
    }  # fmt: skip
    later = when(5)
    change = fields(reservation=None, account=None, endtime=later)
    answer = desk.ask("PUT", f"/reservations/{NAME}", change, multipart=True)
    assert answer.status_code == 200, answer.content
    found = shown(desk)
    assert found is not None and found["EndTime"] == later
    answer = desk.ask("DELETE", f"/reservations/{NAME}/")
    assert (answer.status_code, b"".join(answer)) == (204, b"")
    assert shown(desk) is None
    assert NAME not in {
        r["reservationname"] for r in desk.ask("GET", "/reservations/").json()["success"]
    }
    assert data(desk, "/compute/reservations", reservations=NAME) == []


def test_what_was_changed_is_in_the_audit_trail(operator: Desk) -> None:
    from pipeline_management.models import AuditEvent

    assert operator.ask("POST", "/reservations/", fields()).status_code == 201
    assert operator.ask("DELETE", f"/reservations/{NAME}").status_code == 204
    events = AuditEvent.objects.filter(target=NAME).order_by("pk")
    assert [(e.action, e.actor_name, e.data["system"]) for e in events] == [
        ("reservation.create", "alice", "cluster"), ("reservation.delete", "alice", "cluster")
    ]  # fmt: skip


def test_only_operators_may(desk: Desk) -> None:
    text = reason(desk.ask("POST", "/reservations", fields(), person="bob"), "creating")
    assert "only its operators" in text and "Invalid user id" in text
    assert shown(desk) is None


def test_only_owners_may(operator: Desk) -> None:
    desk = operator
    other = desk.lab.layout.settings.users[1]
    desk.lab.slurm(
        "scontrol", "create", "reservation", "ReservationName=others", f"StartTime={when(0)}",
        "Duration=60", "NodeCnt=1", f"Users={other}",
    )  # fmt: skip
    for name in ("others", "no-such"):
        refusal = f"You are not an owner of the {name} reservation"
        changed = desk.ask("PUT", f"/reservations/{name}", fields())
        assert reason(changed, "updating") == refusal
        assert reason(desk.ask("DELETE", f"/reservations/{name}"), "deleting") == refusal
    assert shown(desk, "others") is not None
    # made past the API, for a person instead of an account
    desk.lab.slurm(
        "scontrol", "create", "reservation", "ReservationName=mine", f"StartTime={when(4)}",
        "Duration=60", "NodeCnt=1", f"Users={desk.unix_user}",
    )  # fmt: skip
    assert desk.ask("DELETE", "/reservations/mine").status_code == 204
    assert shown(desk, "mine") is None


def test_what_the_cluster_does_not_have(operator: Desk) -> None:
    desk = operator

    def refusal(**changes: Any) -> str:
        return reason(desk.ask("POST", "/reservations", fields(**changes)), "creating")

    assert "greater than 1 available" in refusal(numberOfNodes="2")
    assert refusal(nodeType="gpu") == "only f7t feature type are supported"
    assert "Invalid account" in refusal(account="no-such")
    past = {"starttime": "2020-01-01T00:00:00", "endtime": "2020-01-02T00:00:00"}
    assert "Invalid time specified" in refusal(**past)
    assert shown(desk) is None


FAULTS = [
    *((name, None, f"'{name}' form data input missing") for name in fields()),
    *(
        (name, value, f"'{name}' parameter format is not valid")
        for name in ("reservation", "account", "nodeType")
        for value in ("", "1abc", "-x", "Abc", "a b", "a;b", "a=b", "a,b", "a\nb", "ä")
    ),
    *(
        ("numberOfNodes", value, "'numberOfNodes' parameter is not valid")
        for value in ("", "0", "-1", "1.5", "one", "1;2", "1e3", " 1")
    ),
    *(
        (name, value, f"'{name}' parameter format is not valid")
        for name in ("starttime", "endtime")
        for value in ("", "now", "2030-01-01", "2030-01-01 10:00:00", "2030-13-01T00:00:00",
                      "2030-01-01T10:00", "2030-01-01T10:00:00Z", "2030-02-30T00:00:00")
    ),
    ("endtime", "2020-01-01T00:00:00", "'endtime' occurs before 'starttime'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "text"), FAULTS)
def test_faults_of_the_fields(desk: Desk, name: str, value: str | None, text: str) -> None:
    wrong = fields(**{name: value})
    assert reason(desk.ask("POST", "/reservations", wrong), "creating") == text
    if name not in ("reservation", "account"):
        changed = desk.ask("PUT", f"/reservations/{NAME}", wrong)
        assert reason(changed, "updating") == text


def test_fields_are_checked_in_order(desk: Desk) -> None:
    for number, name in enumerate(list(fields())):
        left = dict(list(fields().items())[:number])
        text = reason(desk.ask("POST", "/reservations", left), "creating")
        assert text == f"'{name}' form data input missing"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_name_that_cannot_be_one(desk: Desk, method: str) -> None:
    answer = desk.ask(method, "/reservations/%24(id)", fields())
    verb = "updating" if method == "PUT" else "deleting"
    assert reason(answer, verb) == "'reservation' parameter format is not valid"


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", "/reservations", "listing"), ("POST", "/reservations", "creating"),
        ("PUT", "/reservations/x", "updating"), ("DELETE", "/reservations/x", "deleting"),
    ],
)  # fmt: skip
def test_the_machine(desk: Desk, method: str, path: str, verb: str) -> None:
    answer = desk.ask(method, path, fields() if method in ("POST", "PUT") else None, machine=None)
    assert reason(answer, verb) == "No machine name given"
    answer = desk.ask(method, path, fields(), machine="nowhere")
    assert answer.status_code == 400
    assert answer.json() == {"error": "Machine does not exist"}
    assert set(error_headers(answer)) == {"X-Machine-Does-Not-Exist"}
    answer = desk.ask(method, path, fields(), machine="down")
    assert answer.status_code == 400
    assert set(error_headers(answer)) == {"X-Machine-Not-Available"}
    assert answer.json()["error"] == f"Error {verb} reservation"
