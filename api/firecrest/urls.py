"""Addresses below /firecrest/v1/; see ``routing`` for what counts as the same address."""

from api.firecrest.routing import everything_else
from api.firecrest.views import (
    compute,
    compute_submit,
    external,
    reservations,
    schema,
    status,
    tasks,
    transfers,
    utilities,
)
from api.firecrest.views.nowhere import NowhereView

described = [
    *status.urlpatterns,
    *utilities.urlpatterns,
    *tasks.urlpatterns,
    *compute_submit.urlpatterns,
    *compute.urlpatterns,
    *transfers.urlpatterns,
    *external.urlpatterns,
    *reservations.urlpatterns,
]
"""The endpoints of the contract, which the OpenAPI document describes."""

urlpatterns = [
    *described,
    *schema.urlpatterns,
    everything_else(NowhereView, "firecrest-nothing"),
]
