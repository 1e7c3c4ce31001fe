"""Both OpenAPI documents against the running portal: schemathesis makes up requests of every kind from them.

The portal runs on a lab of its own, whose only Unix user exists for this: what it may write to is its home,
so that removing "/" or any other path made up harms nothing. No endpoint is left out.
"""

from __future__ import annotations

import base64
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.firecrest.portal import Portal, running
from tests.lab.lab import Lab
from tests.lab.layout import LabSettings
from tests.lab.sitefile import PASSWORDS

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("schema"), pytest.mark.timeout(900)]


@schemathesis.serializer("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def as_workbook(_context: Any, value: Any) -> bytes:
    """Whatever was made up, as the bytes of a file that is no workbook."""
    return value if isinstance(value, bytes) else str(value).encode()


CASES = 2000
USER = "centrofuzz"
Known = dict[str, st.SearchStrategy[str]]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MACHINES = st.sampled_from(["cluster"] * 6 + ["hasty", "down", "foreign", "none-such"])
PATHS = st.sampled_from(
    [
        "kept/file",
        "kept",
        ".",
        "kept/none",
        "kept/file/x",
        "/etc/passwd",
        "/root",
        "/",
        "made",
        "made.tar.gz",
    ]
)
JOBS = st.sampled_from(["1", "2,1", "3", "999999999", "1_[1-2]", "1+0", "x"])
KNOWN: Known = {
    **dict.fromkeys(("targetPath", "sourcePath", "linkPath"), PATHS),
    **dict.fromkeys(("jobs", "jobid", "job_id", "stageOutJobId"), JOBS),
    "X-Machine-Name": MACHINES,
    "time": st.sampled_from(["10", "00:10:00", "banana"]),
    "name": st.sampled_from(["cluster", "hello", "utilities", "down"]),
    "version": st.just("1.0"),
    "mode": st.sampled_from(["644", "755", "u+x", "banana"]),
    **dict.fromkeys(("owner", "group"), st.sampled_from([USER, "root", "none-such"])),
    **dict.fromkeys(("bytes", "lines"), st.sampled_from(["1", "10", "1K", "many"])),
    "extension": st.sampled_from(["auto", ".gz", "zip", "mine"]),
    "account": st.sampled_from(["acct1", "none-such"]),
    "jobName": st.just("fuzz"),
    "grep": st.sampled_from(["line", "$(id)"]),
    "env": st.sampled_from(['{"A": "b 1,2"}', "[]", "{"]),
}


@pytest.fixture(scope="module")
def fuzzed(lab: Lab) -> Iterator[Portal]:
    """A portal whose people all are one Unix user with nothing to lose."""
    if os.geteuid() != 0:
        pytest.fail("a Unix user of its own can only be made by root; see docs/howto/lab.md")
    own = Lab.up(settings=LabSettings(users=(USER,), csh_users=()), owner=os.getpid())
    try:
        with running(own) as portal:
            yield portal
    finally:
        own.down()


def restore(portal: Portal) -> None:
    """The home as it was, whatever was removed or closed."""
    kept = portal.home("alice") / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    portal.give("alice", kept.parent, kept, portal.write("alice", kept / "file", "line\n" * 30))
    for path in (kept.parent, kept):
        path.chmod(0o755)


def judge(portal: Portal, schema: Any, headers: dict[str, str], known: Known) -> int:
    """Try every operation; returns the number of requests. Fails with all answers that must not be."""
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found)
    each = CASES // sum(takes_values(one) for one in operations) + 1
    statuses: Counter[int] = Counter()
    faults = []
    for operation in operations:
        restore(portal)
        begun, before = time.monotonic(), statuses.total()
        try:
            attempt(operation, headers, known, each, statuses)
        except FailureGroup as group:
            faults += [f"{operation.label}: {fault}" for fault in group.exceptions]
        took = time.monotonic() - begun
        print(f"{operation.label}: {statuses.total() - before} cases, {took:.1f} s")
    print(f"{statuses.total()} cases, statuses {dict(sorted(statuses.items()))}")
    assert not faults, "\n\n".join(faults)
    return statuses.total()


def attempt(
    operation: Any, headers: dict[str, str], known: Known, cases: int, statuses: Counter[int]
) -> None:
    """One operation with that many cases: what its description allows, and what it does not."""
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    strategies = [positive, positive, positive]
    if takes_values(operation):
        strategies.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    strategy = st.sampled_from(strategies).flatmap(lambda chosen: chosen)

    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, data=st.data())
    def try_one(case: Any, data: st.DataObject) -> None:
        steer(case, known, data)
        case.headers = {**(case.headers or {}), **headers}
        answer = case.call(timeout=60)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    try_one()


def takes_values(operation: Any) -> bool:
    """Whether there is anything to make up."""
    return any((operation.path_parameters, operation.query, operation.headers, operation.body))


def steer(case: Any, known: Known, data: st.DataObject) -> None:
    """Put values that lead somewhere in place of most made-up ones: a system, paths, ids."""
    for place in (case.headers, case.query, case.body, case.path_parameters):
        if isinstance(place, (dict, CaseInsensitiveDict)):
            for name in sorted(set(place) & set(known)):
                if data.draw(st.integers(0, 7)):
                    place[name] = data.draw(known[name])
    if (
        isinstance(case.body, dict)
        and "json" not in case.media_type
        and data.draw(st.integers(0, 3))
    ):
        for name in set(case.body) - set(known) - {"file"}:
            del case.body[name]  # a form of fields that nobody reads says little
        for name in ("targetPath", "sourcePath"):
            case.body.setdefault(name, data.draw(known[name]))


def test_firecrest(fuzzed: Portal) -> None:
    headers = {"Authorization": f"Bearer {fuzzed.token('alice')}"}
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/schema/", headers=headers)
    assert judge(fuzzed, schema, headers, KNOWN) >= CASES


def test_own_api(fuzzed: Portal) -> None:
    pair = base64.b64encode(f"alice:{PASSWORDS['alice']}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    url = f"{fuzzed.stack.base_url}/api/v1/schema/"
    schema = schemathesis.openapi.from_url(url, headers=headers)
    run = fuzzed.stack.submit({"pipeline": "hello", "name": "known"})
    assert judge(fuzzed, schema, headers, KNOWN | {"run_id": st.just(run)}) >= CASES
