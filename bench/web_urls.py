"""Centro's addresses and an empty REST framework view beside them. For the benches only."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from centro import urls

handler400, handler404, handler500 = urls.handler400, urls.handler404, urls.handler500


class EmptyView(APIView):
    """Nothing but what the project's defaults make of every view: middleware, log-in, permission, JSON."""

    def get(self, request: Request) -> Response:
        """200 with an empty object."""
        return Response({})

    def post(self, request: Request) -> Response:
        """201 with an empty object; the body is not looked at."""
        return Response({}, status=201)


class OpenView(EmptyView):
    """The same for everybody, without asking who it is."""

    authentication_classes = ()
    permission_classes = ()


urlpatterns = [
    path("bench/empty/", EmptyView.as_view()),
    path("bench/open/", OpenView.as_view()),
    *urls.urlpatterns,
]
