"""URL configuration of the whole project."""

from django.contrib import admin
from django.urls import include, path, reverse_lazy
from django.views.generic import RedirectView

from api.firecrest.views.nowhere import NowhereView
from centro import health, metrics

handler400 = "centro.errors.bad_request"
handler404 = "centro.errors.not_found"
handler500 = "centro.errors.server_error"

admin.autodiscover()

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
    path("api/v1/", include("api.v1.urls")),
    path("firecrest/v1", NowhereView.as_view(), name="firecrest-root"),
    path("firecrest/v1/", include("api.firecrest.urls")),
    path("o/", include("api.oauth")),
    path("accounts/", include("accounts.urls")),
    path("", include("pipeline_management.urls")),
]
