"""Addresses below /firecrest/v1/; see ``routing`` for what counts as the same address."""

from api.firecrest.routing import everything_else
from api.firecrest.views import compute, status, utilities
from api.firecrest.views.nowhere import NowhereView

described = [*status.urlpatterns, *utilities.urlpatterns, *compute.urlpatterns]
"""The endpoints of the contract, which the OpenAPI document describes."""

urlpatterns = [
    *described,
    everything_else(NowhereView, "firecrest-nothing"),
]
