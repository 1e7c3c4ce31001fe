"""Logging in with Chromium at a real OpenID Connect provider, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from accounts.models import OuterIdentity
from accounts.oauth import outer
from centro.config.sections import Oidc
from tests.accounts.provider import PASSWORD, Provider
from tests.browser.test_look import looked_over
from tests.factories import make_user

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def provider(live_server: Any, watch: Watch, settings: Any, tmp_path: Path) -> Iterator[Provider]:
    made = Provider(tmp_path, f"{live_server.url}/accounts/sso/callback/")
    settings.CENTRO_OIDC = Oidc.model_validate(made.settings)
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "accounts.sso.backend.IssuerBackend",
    ]
    watch.elsewhere = (made.url.removesuffix("/o"),)
    outer.forget()
    yield made
    outer.forget()
    made.close()


def at_the_provider(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go").click()


def test_one_logs_in_with_the_name_of_the_campus(
    open_as: Open, site: Site, provider: Provider
) -> None:
    make_user("alice")
    page = open_as(None, "/runs/?q=trio")
    page.get_by_role("link", name="Log in with Campus ID").click()
    at_the_provider(page, "alice")
    page.wait_for_url("**/runs/?q=trio")
    page.locator("#user-menu > summary").click()
    expect(page.locator("#user-menu")).to_contain_text("alice")
    page.get_by_role("link", name="Password and log-in").click()
    expect(page.get_by_role("button", name="Disconnect alice")).to_be_visible()
    assert OuterIdentity.objects.get().user.username == "alice"
    # a second time the provider knows the browser, and nobody is asked anything
    page.context.clear_cookies(name="sessionid")
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Log in with Campus ID").click()
    page.wait_for_url(lambda url: url.endswith("/"))
    expect(page.locator("#user-menu")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_its_pages_are_readable_and_well_built(
    open_as: Open, watch: Watch, site: Site, provider: Provider, scheme: Any, width: int
) -> None:
    watch.expected = ("status of 403",)
    window = {"width": width, "height": 844}
    page = open_as(None, "/accounts/login/", color_scheme=scheme, viewport=window)
    faults = {"login": looked_over(page)}
    page.get_by_role("link", name="Log in with Campus ID").click()
    at_the_provider(page, "bob")
    expect(page.get_by_role("alert")).to_contain_text("No account here belongs to “bob” yet")
    faults["refused"] = looked_over(page)
    page.close()

    administrator = site.people["administrator"]
    administrator.set_password("correct horse 7")
    administrator.save()
    page = open_as("administrator", "/accounts/password/", color_scheme=scheme, viewport=window)
    faults["password"] = looked_over(page)
    page.get_by_role("link", name="Connect").click()
    at_the_provider(page, "root")
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    faults["connect"] = looked_over(page)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("From now on you can log in with Campus ID.")).to_be_visible()
    faults["connected"] = looked_over(page)
    page.get_by_role("button", name="Disconnect root").click()
    expect(page.get_by_text("“root” logs in here no longer.")).to_be_visible()
    assert not any(faults.values()), faults
