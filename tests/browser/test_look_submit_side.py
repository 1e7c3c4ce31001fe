"""What ``test_look`` asks of every page, of the submission side with faults, tables and refusals on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import submit_side_pictures as side
from tests.browser.test_look import looked_over

if TYPE_CHECKING:
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280)])
def test_the_submission_side_is_readable_and_well_built(
    open_as: Open, watch: Watch, site: Site, scheme: Any, width: int
) -> None:
    watch.expected = ("status of 400", "status of 415")  # the files that are refused
    side.add_pipeline(site.account.system)
    submit, catalogue = "/submit/?pipeline=reads@1.0", "/catalogue/upload/"
    pages = {name: catalogue if name.startswith("catalogue") else submit for name in side.ACTS}
    page = open_as(
        "administrator", catalogue, color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    faults = {}
    for name, address in {"catalogue": catalogue, **pages, "pipeline": "/pipelines/reads/"}.items():
        page.goto(address)
        if name in side.ACTS:
            side.ACTS[name](page)
        if found := looked_over(page):
            faults[name] = found
    assert faults == {}
