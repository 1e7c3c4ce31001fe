"""Every address of the site × every method × every kind of person."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import LabVisibility
from accounts.oauth.clients import create_client
from accounts.services import create_token
from accounts.sso.identities import Identity, connect
from pipeline_management.models import Delivery, Transfer
from pipeline_management.services.notifications.webhooks import create as create_webhook
from pipeline_management.services.notifications.webhooks import send_test
from tests.api.addresses import Address, addresses
from tests.api.expectations import ADMIN, ADMIN_MODELS, METHODS, ROLES, TABLE, WITHOUT_CSRF
from tests.api.site import JSON, Site

HOOK = "https://example.org/"
FORM = "application/x-www-form-urlencoded"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def path_of(address: Address, site: Site) -> str:
    """The address with the ids of things that belong to the lab."""
    if address.name == "api-nothing":
        return "/api/v1/nothing/"
    if address.name == "admin:((?P<url>.*)$)":
        return "/admin/nothing/"
    if "(" in address.name:
        return "/admin/pipeline_management/run/1/"
    values: dict[str, Any] = {
        "run_id": site.run.pk,
        "pk": site.run.pk,
        "name": "cluster" if "system" in address.name else "secret",
        "version": "1.0",
        "app_label": "accounts",
        "object_id": "1",
        "content_type_id": "1",
        "id": "1",
        "slug": site.lab.slug,
        "note_id": 1,
        "view_id": 1,
        "key": "0/x",  # in the staging area
        "system": "cluster",
        "path": "tmp",
        "token": "none",
    }
    if "token_id" in address.parameters:
        token = site.submitter.api_tokens.first()  # type: ignore[attr-defined]  # a reverse relation
        values["token_id"] = (token or create_token(site.submitter, "t")[0]).pk
    if "client_pk" in address.parameters:
        client = site.submitter.oauth_clients.first()  # type: ignore[attr-defined]  # a reverse relation
        values["client_pk"] = (client or create_client(site.submitter, "c")[0]).pk
    if "identity_pk" in address.parameters:
        identity = site.submitter.outer_identities.first()
        somebody = Identity("https://login.example.org", "f3a-1", "s.ubmitter")
        values["identity_pk"] = (identity or connect(site.submitter, somebody)).pk
    if "transfer" in address.name:
        values["transfer_id"] = values["pk"] = transfer_of(site).pk
    if address.name.startswith("system-maintenance-"):
        values["pk"] = 987654
    if "webhook_id" in address.parameters:
        delivery = Delivery.objects.filter(webhook__lab=site.lab).first() or send_test(
            create_webhook(site.lab, HOOK, ["failed"], user=site.manager)[0]
        )
        values |= {"webhook_id": delivery.webhook_id, "delivery_id": delivery.pk}
    return reverse(address.name, kwargs={name: values[name] for name in address.parameters})


def transfer_of(site: Site) -> Transfer:
    """An upload of the submitter's that waits for its file."""
    values = {"account": site.account, "direction": "upload", "state": "awaiting", "limit": 1}
    later = timezone.now() + timedelta(days=1)
    made, _ = Transfer.objects.get_or_create(
        user=site.submitter, defaults={"path": "/x", "key": "x/x", "expires_at": later, **values}
    )
    return made


def body_of(address: Address, method: str, site: Site) -> tuple[bytes, str]:
    """A body that would do what the address is for, and its type."""
    configuration = json.dumps({"pipeline": "secret", "name": "x"})
    if address.name in ("api-new-run", "api-validate"):
        return configuration.encode(), JSON
    if address.name == "api-transfers":
        return b'{"direction": "download", "system": "local", "path": "/no/such/file"}', JSON
    if address.name == "api-run-notes":
        return b'{"text": "new"}', JSON
    if address.name == "api-transfer-parts":
        return b'{"numbers": [1]}', JSON
    if address.name == "api-tokens":
        return b'{"name": "new"}', JSON
    if address.name in ("submit", "custom"):
        from urllib.parse import urlencode

        return urlencode({"configuration": configuration, "action": "submit"}).encode(), FORM
    if address.name == "webhooks":
        return f"url={HOOK}&states=failed".encode(), FORM
    if address.name in ("accounts:tokens", "accounts:clients"):
        return b"name=new&scope=submit", FORM
    if address.name in ("run-labels", "run-notes"):
        return b"add=new&text=new", FORM
    return b"", FORM if method == "POST" and not address.name.startswith("api-") else JSON


class People:
    """One browser per person, as fresh as after the log-in at every request."""

    def __init__(self, site: Site) -> None:
        users = (None, site.stranger, site.viewer, site.submitter, site.manager, site.administrator)
        self._clients = {role: site.client(user) for role, user in zip(ROLES, users, strict=True)}
        self._sessions = {
            role: client.cookies.get("sessionid") for role, client in self._clients.items()
        }

    def client(self, role: str, *, strict: bool = False) -> Client:
        """The person's browser; a strict one checks CSRF tokens as the real site does."""
        client = self._clients[role]
        client.handler.enforce_csrf_checks = strict
        client.cookies.clear()
        session = self._sessions[role]
        if session is not None:
            client.cookies["sessionid"] = session.value
        return client


def ask(client: Client, method: str, path: str, body: bytes, kind: str) -> Any:
    """The answer; what the request changed is undone."""
    with transaction.atomic():
        answer = client.generic(method, path, b"" if method == "GET" else body, content_type=kind)
        if answer.streaming:
            b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return answer


ALL = addresses()
NAMES = [address.name for address in ALL]


def test_every_address_has_a_written_expectation_and_no_row_is_left_over() -> None:
    missing = sorted(set(NAMES) - set(TABLE) - ADMIN)
    assert not missing, f"write into tests/api/expectations.py who may do what at: {missing}"
    gone = sorted((set(TABLE) | {f"admin:{model}_change" for model in ADMIN_MODELS}) - set(NAMES))
    assert not gone, f"expected, but there is no such address: {gone}"
    unnamed = [name for name in NAMES if name.startswith("(")]
    assert not unnamed, f"give a name to {unnamed}"


@pytest.mark.parametrize(
    "address",
    [address for address in ALL if address.name in TABLE],
    ids=lambda address: address.name,
)
def test_who_gets_which_answer(site: Site, address: Address) -> None:
    people, path = People(site), path_of(address, site)
    wrong = []
    for method in METHODS:
        body, kind = body_of(address, method, site)
        for role, expected in zip(ROLES, TABLE[address.name].codes(method), strict=True):
            answer = ask(people.client(role), method, path, body, kind)
            if answer.status_code != expected:
                wrong.append(
                    f"{method} {path} as {role}: {answer.status_code}, expected {expected}"
                )
            if method != "GET" and role == "submitter" and address.name not in WITHOUT_CSRF:
                answer = ask(people.client(role, strict=True), method, path, body, kind)
                if answer.status_code != 403:
                    wrong.append(
                        f"{method} {path} as {role} without CSRF token: {answer.status_code}"
                    )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("model", [*sorted(ADMIN_MODELS), "pages"])
def test_administration_is_for_administrators(site: Site, model: str) -> None:
    people = People(site)
    chosen = [
        address
        for address in ALL
        if address.name in ADMIN
        and (f"_{model}_" in f"_{address.name.removeprefix('admin:')}" or model == "pages")
        and (model != "pages" or not any(other in address.name for other in ADMIN_MODELS))
    ]
    assert chosen
    for address in chosen:
        path = path_of(address, site)
        for role, method in (
            ("nobody", "GET"),
            ("stranger", "POST"),
            ("manager", "GET"),
            ("manager", "POST"),
        ):
            answer = ask(people.client(role), method, path, b"", FORM)
            assert answer.status_code == 302, (method, path, role, answer.status_code)
            assert answer["Location"].startswith(("/admin/", "/accounts/login/")), path
        answer = ask(people.client("administrator"), "GET", path, b"", FORM)
        assert answer.status_code in (200, 302, 403, 404, 405), (path, answer.status_code)
        if address.name.endswith(("_changelist", "admin:index")):
            assert answer.status_code == 200, path


ADMINISTRATORS_ONLY = (
    "pipeline-upload-confirm", "system-test-steps", "system-maintenance-change", "system-maintenance-end",
)  # fmt: skip
"""Addresses of things that are no lab's: others are told whose they are."""


def test_things_of_other_labs_do_not_exist(site: Site) -> None:
    """Whatever the method, a stranger's answer about a foreign thing is that of a made-up id."""
    people = People(site)
    with_ids = [
        a
        for a in ALL
        if a.name in TABLE
        and a.name not in ADMINISTRATORS_ONLY
        and {"run_id", "pk", "token_id", "client_pk", "identity_pk", "slug", "transfer_id"} & set(a.parameters)
    ]
    assert len(with_ids) >= 9
    for address in with_ids:
        real = path_of(address, site)
        made_up = real.replace(str(site.run.pk), "00000000-0000-0000-0000-000000000001")
        if "transfer" in address.name:
            made_up = real.replace(
                str(transfer_of(site).pk), "00000000-0000-0000-0000-000000000001"
            )
        if "token_id" in address.parameters:
            made_up = reverse(address.name, kwargs={"token_id": 987654})
        if "client_pk" in address.parameters:
            made_up = reverse(address.name, kwargs={"client_pk": 987654})
        if "identity_pk" in address.parameters:
            made_up = reverse(address.name, kwargs={"identity_pk": 987654})
        if "slug" in address.parameters:
            made_up = real.replace(site.lab.slug, "made-up")
        for method in METHODS:
            body, kind = body_of(address, method, site)
            answers = [
                ask(people.client("stranger"), method, path, body, kind) for path in (real, made_up)
            ]
            # Only a job's own token opens this door, and it says so before it looks at the address.
            token_first = (address.name, method) == ("api-run-events", "POST")
            hidden = (401,) if token_first else (404, 405)
            assert answers[0].status_code == answers[1].status_code in hidden, (method, real)
            if address.name.startswith("api-"):
                assert answers[0].content == answers[1].content, (method, real)


def test_members_who_see_only_their_own(site: Site) -> None:
    site.lab.visibility = LabVisibility.OWN
    site.lab.save()
    people = People(site)
    for name in ("api-run", "api-run-events", "api-run-log", "run-detail", "run-status", "run-log"):
        address = next(address for address in ALL if address.name == name)
        codes = [
            ask(people.client(role), "GET", path_of(address, site), b"", JSON).status_code
            for role in ("viewer", "submitter", "manager")
        ]
        assert codes == [404, 200, 200], name
    assert ask(people.client("viewer"), "GET", "/api/v1/runs/", b"", JSON).json()["results"] == []


def test_who_left_the_lab_or_was_disabled_is_out_at_the_next_request(site: Site) -> None:
    people = People(site)
    path = f"/api/v1/runs/{site.run.pk}/"
    _, text = create_token(site.manager, "t")
    header = {"Authorization": f"Bearer {text}"}
    assert people.client("manager").get(path).status_code == 200
    assert Client().get(path, headers=header).status_code == 200
    site.lab.memberships.filter(user=site.manager).delete()
    assert people.client("manager").get(path).status_code == 404
    assert Client().get(path, headers=header).status_code == 404
    site.manager.is_active = False
    site.manager.save()
    assert people.client("manager").get(path).status_code == 401
    assert Client().get(path, headers=header).status_code == 401
