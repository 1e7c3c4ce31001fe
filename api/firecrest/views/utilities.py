"""``/utilities/*``: operations on files, done while the client waits."""

from __future__ import annotations

from api.firecrest.views import utilities_change, utilities_content, utilities_look

urlpatterns = [
    *utilities_look.urlpatterns,
    *utilities_change.urlpatterns,
    *utilities_content.urlpatterns,
]
