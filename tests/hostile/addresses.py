"""The addresses under which the hostile world is looked at: every one of the site that answers GET."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.urls import reverse

from tests.api.addresses import Address, addresses
from tests.hostile.world import World

ASIDE: dict[str, str] = {
    "admin-login": "a redirection",
    "admin:login": "a redirection",
    "admin:logout": "POST only",
    "admin:view_on_site": "no model of ours has an address of that kind",
    "admin:((?P<url>.*)$)": "the rest of the administration: not found",
    "admin:(<path:object_id>/)": "a redirection of an old form",
    "metrics": "numbers, for machines; tests/centro",
    "healthz": "says that the process is there",
    "readyz": "says what is there, for machines; tests/centro",
    "staging-item": "files of signed links, as attachments; tests/transfers",
    "transfer-file": "a redirection to a signed link; tests/transfers",
    "file-content": "files in a sandbox of their own; tests/pages/test_files.py",
    "oauth-keys": "keys, for machines",
    "api-run-label": "DELETE only",
    "api-run-note": "DELETE only",
    "api-run-star": "PUT and DELETE only",
}
QUERIES: dict[str, tuple[str, ...]] = {
    "runs": (
        "?size=100",
        "?size=100&group=cause",
        "?q=%3Cscript+xq7%3E",
        "?q=state:%22%3E%3Cb+xq7%3E",
    ),
    "runs-export": ("?format=json",),
    "runs-suggestions": ("?q=label:", "?q=%3Cb+xq7%3E"),
    "run-head": ("?tab=overview",),
    "run-log": ("", "?stream=stdout&offset=0"),
    "run-files": ("", "?now=1"),
    "run-reports": ("", "?now=1"),
    "api-run-log-search": ("?q=script",),
    "api-run-log-lines": ("?line=1",),
    "usage": (
        "?group=person&period=custom&first=2026-11-19&last=2026-11-21",
        "?group=lab&period=custom&first=2026-11-19&last=2026-11-21",
        "?group=pipeline&period=custom&first=2026-11-19&last=2026-11-21",
        "?group=system&period=custom&first=2026-11-19&last=2026-11-21",
    ),
    "usage-export": ("?group=person&period=custom&first=2026-11-19&last=2026-11-21",),
}
REFUSED: dict[str, tuple[int, ...]] = {
    # the directory is not there, and the version is a plain script
    "run-file": (200, 404, 503), "run-resume": (409,), "run-files": (200, 404, 503), "run-cancel": (200, 409),
    "run-settle": (200, 409), "run-resubmit": (200, 400),
    "api-run-log": (200, 404), "api-run-log-lines": (200, 400, 404), "api-run-log-search": (200, 400, 404),
    "api-run-log-download": (200, 404, 503), "api-transfer-parts": (409,), "api-nothing": (404,),
    "pipeline-upload-confirm": (200, 400),
}  # fmt: skip


def statuses(name: str) -> tuple[int, ...]:
    """What an address may answer; in the administration many things can only be looked at."""
    read_only = name.startswith("admin:") and name.endswith(("_add", "_delete"))
    return REFUSED.get(name, (200, 403) if read_only else (200,))


MODELS = {model._meta.label_lower.replace(".", "_"): model for model in apps.get_models()}


def shown() -> dict[str, Address]:
    """Every address that answers GET with something to see, by its name."""
    found = {address.name: address for address in addresses() if address.name not in ASIDE}
    return {name: address for name, address in found.items() if not _only_posts(name)}


def _only_posts(name: str) -> bool:
    from tests.api.expectations import TABLE

    row = TABLE.get(name)
    return (
        row is not None
        and 200 not in row.codes("GET")
        and name not in REFUSED
        and name not in _OPENED
    )


_OPENED = ("pipeline-upload-confirm", "system-maintenance-change", "system-test-steps", "run-head",
           "api-run-log-search", "api-run-log-lines")  # fmt: skip
"""What the table of the matrix has no object for, or no parameters."""


def paths_of(address: Address, world: World) -> Iterator[str]:
    """The address for each of the objects that it may be of, with each of its queries."""
    if address.name.startswith("admin:"):
        yield from _of_administration(address, world)
        return
    if address.name == "api-nothing":
        yield "/api/v1/%3Cscript%20xq7%3E/"
        return
    seen = set()
    for values in _objects(address.name, world):
        kwargs = {name: values[name] for name in address.parameters}
        if str(kwargs) not in seen:
            seen.add(str(kwargs))
            path = reverse(address.name, kwargs=kwargs)
            yield from (path + query for query in _queries(address.name, world, values))


def _queries(name: str, world: World, values: dict[str, Any]) -> tuple[str, ...]:
    if name == "runs-compare":
        return (f"?a={values['pk']}&b={world.listed[0].pk}",)
    if name in ("submit", "custom"):
        runs = [f"?run={run.pk}" for run in world.runs]
        return ("", *runs, *(f"?pipeline={version}" for version in world.versions))
    return QUERIES.get(name, ("",))


def _objects(name: str, world: World) -> Iterator[dict[str, Any]]:
    """Ten sets of everything that stands in addresses."""
    for number, run in enumerate(world.runs):
        values: dict[str, Any] = {
            "pk": run.pk, "run_id": run.pk, "name": f"hostile-{number}", "version": "1.0", "system": "cluster",
            "path": "tmp" if name.startswith("files") else "x", "slug": run.lab.slug if run.lab else "",
            "webhook_id": world.webhooks[number].pk,
            "transfer_id": world.administrator.transfers.all()[number].pk,
        }  # fmt: skip
        if name == "pipeline-upload-confirm":
            values["pk"] = world.uploads[number].pk
        if name == "system-test-steps":
            values["pk"] = world.checks[number].pk
        if name == "system-maintenance-change":
            values["pk"] = world.maintenances[5 * number].pk
        yield values


def _of_administration(address: Address, world: World) -> Iterator[str]:
    model = next((model for name, model in MODELS.items() if f":{name}_" in address.name), None)
    if address.name == "admin:app_list":
        yield "/admin/accounts/"
    elif address.name == "admin:autocomplete":
        yield (
            "/admin/autocomplete/?term=a&app_label=accounts&model_name=membership&field_name=user"
        )
    elif "object_id" not in address.parameters and "id" not in address.parameters:
        yield reverse(address.name)
    elif model is not None:
        most = 3 if address.name.endswith("_change") else 1
        for pk in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:most]:
            yield reverse(address.name, args=[pk])
