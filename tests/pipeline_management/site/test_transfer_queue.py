"""The queue of jobs that move files, as the site file names it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.models import System
from pipeline_management.services.site.reading import SiteError


def test_it_is_written_and_taken_back(site: dict[str, Any], apply: Any) -> None:
    site["systems"][0]["transfer_queue"] = "xfer"
    apply(site)
    assert System.objects.get(name="cluster").transfer_queue == "xfer"
    assert System.objects.get(name="here").transfer_queue == ""
    assert apply(site).made == []
    del site["systems"][0]["transfer_queue"]
    apply(site)
    assert System.objects.get(name="cluster").transfer_queue == ""


@pytest.mark.parametrize("value", ["two words", "-x", "", 7])
def test_what_is_no_name_of_a_queue(site: dict[str, Any], apply: Any, value: object) -> None:
    site["systems"][0]["transfer_queue"] = value
    with pytest.raises(SiteError, match="transfer_queue"):
        apply(site)
