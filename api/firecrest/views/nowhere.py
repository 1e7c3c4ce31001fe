"""Every other address below /firecrest/v1/."""

from __future__ import annotations

from typing import NoReturn

from django.http import Http404
from rest_framework.request import Request

from api.firecrest.base import FirecrestView


class NowhereView(FirecrestView):
    """401 without a token, else 404, whatever the method."""

    schema = None

    def any_method(self, request: Request) -> NoReturn:
        """No answer but 404."""
        raise Http404

    get = post = put = delete = any_method
