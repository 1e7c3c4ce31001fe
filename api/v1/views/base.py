"""What all views of /api/v1/ share."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import User
from django.http import Http404
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from api.v1.parameters import Parameters, refuse_unknown
from api.v1.serializers import RunDetailSerializer
from pipeline_management.models import Run
from pipeline_management.services import marks


class ApiView(APIView):
    """A view that knows the query parameters of each of its methods; an unknown one is an error."""

    parameters: dict[str, frozenset[str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = "GET" if request.method == "HEAD" else request.method or ""
        if method.lower() in self.http_method_names:
            refuse_unknown(request.query_params, self.parameters.get(method, frozenset()))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        # What one person may see must not be kept for the next one by a cache between.
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        if answer.status_code == 401 and request.headers.get("X-Requested-With"):
            # A page's own script: at the challenge the browser would ask for a password in a window.
            answer.headers.pop("WWW-Authenticate", None)
        return answer

    @property
    def query(self) -> Parameters:
        """The request's query parameters."""
        return Parameters(self.request.query_params)

    @property
    def person(self) -> User:
        """Who asks. The permission class has let nobody else through."""
        if not isinstance(self.request.user, User):
            raise NotAuthenticated
        return self.request.user

    @property
    def address(self) -> str | None:
        """The client's address."""
        return self.request.META.get("REMOTE_ADDR") or None

    def run(self, run_id: uuid.UUID) -> Run:
        """The run with what its representation needs; ``Http404`` for one that the person may not see."""
        runs = Run.objects.visible_to(self.request.user)
        found = (
            runs.select_related(
                "version__pipeline", "lab", "submitter", "system", "account__credential"
            )
            .filter(pk=run_id)
            .first()
        )
        if found is None:
            raise Http404
        found.account.system = found.system
        return found

    def described(self, run: Run) -> dict[str, Any]:
        """The run (of ``run``) with everything that the API shows of it."""
        context = {"request": self.request, "starred": marks.starred(self.person, [run.pk])}
        return dict(RunDetailSerializer(run, context=context).data)
