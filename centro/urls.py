"""URL configuration of the whole project."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path, reverse_lazy
from django.views.generic import RedirectView

from centro import health, metrics

handler400 = "centro.errors.bad_request"
handler404 = "centro.errors.not_found"
handler500 = "centro.errors.server_error"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.view, name="metrics"),
    # One door for passwords, with its throttle; the administration has none of its own.
    path(
        "admin/login/",
        RedirectView.as_view(url=reverse_lazy("accounts:login"), query_string=True),
        name="admin-login",
    ),
    path("admin/", admin.site.urls),
]
for _prefix, _module in (
    ("api/v1/", "api.v1.urls"),
    ("accounts/", "accounts.urls"),
    ("", "pipeline_management.urls"),
):
    if find_spec(_module):
        urlpatterns.append(path(_prefix, include(_module)))
