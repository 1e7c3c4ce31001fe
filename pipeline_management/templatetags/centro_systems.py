"""What pages say of systems: announcements of maintenance."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser

from pipeline_management.services import maintenance

register = template.Library()


@register.inclusion_tag("systems/banner.html", takes_context=True)
def maintenance_banner(context: dict[str, Any]) -> dict[str, Any]:
    """What lasts or begins within a day, for systems that the viewer sees."""
    request = context.get("request")
    user = getattr(request, "user", None) or AnonymousUser()
    announced = maintenance.announcements(user)
    return {"announced": [(one, maintenance.has_begun(one)) for one in announced]}
