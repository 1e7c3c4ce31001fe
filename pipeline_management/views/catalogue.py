"""What administrators do in the catalogue: upload versions, look, confirm, and say who may run them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.policy import is_administrator
from pipeline_management.forms.catalogue import UploadForm, VersionSettingsForm
from pipeline_management.models import CatalogueUpload, PipelineVersion
from pipeline_management.services.catalogue import settings, uploads
from pipeline_management.services.site.reading import SiteError
from pipeline_management.views.access import PageRequest, page


def only_administrators(request: PageRequest) -> None:
    """Raises ``PermissionDenied`` for everybody else, with a sentence for the page."""
    if not is_administrator(request.user):
        raise PermissionDenied(_("Only administrators may do that."))


@page("GET", "HEAD", "POST")
def upload(request: PageRequest) -> HttpResponseBase:
    """The form for a YAML or zip file; what is wrong with one is listed here, a good one is shown next."""
    only_administrators(request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    context: dict[str, Any] = {"form": form}
    if request.method != "POST":
        return render(request, "pipelines/upload.html", context)
    if form.is_valid():
        file = form.cleaned_data["file"]
        data = file.read()
        seen = uploads.preview(file.name, data)
        if not seen.faults:
            kept = uploads.keep(file.name, data, request.user)
            return redirect("pipeline-upload-confirm", pk=kept.pk)
        uploads.note_refusal(file.name, seen.faults, request.user, request.META.get("REMOTE_ADDR"))
        context |= {"faults": seen.faults, "name": file.name}
    return render(request, "pipelines/upload.html", context, status=400)


@page("GET", "HEAD", "POST")
def confirm(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """What an upload would do, and the button that does it."""
    only_administrators(request)
    kept = get_object_or_404(CatalogueUpload, pk=pk, owner=request.user)
    if request.method == "POST" and "discard" in request.POST:
        kept.delete()
        return redirect("pipeline-upload")
    if request.method == "POST":
        try:
            versions = uploads.publish(kept, request.user, request.META.get("REMOTE_ADDR"))
        except SiteError as error:
            context = {"form": UploadForm(), "faults": error.faults, "name": kept.name}
            return render(request, "pipelines/upload.html", context, status=409)
        told = ngettext(
            "%(number)d version is in the catalogue.",
            "%(number)d versions are in the catalogue.",
            len(versions),
        )
        messages.success(request, told % {"number": len(versions)})
        return redirect(_address(versions[0].part.name, versions[0].part.version))
    seen = uploads.preview(kept.name, bytes(kept.data))
    return render(request, "pipelines/upload_confirm.html", {"upload": kept, "seen": seen})


@page("GET", "HEAD", "POST")
def version_settings(request: PageRequest, name: str, version: str) -> HttpResponseBase:
    """Who may run a version, where, and whether it is the latest, for development or hidden."""
    only_administrators(request)
    found = (
        PipelineVersion.objects.filter(pipeline__name=name, version=version)
        .select_related("pipeline")
        .first()
    )
    if found is None:
        raise Http404
    form = VersionSettingsForm(request.POST if request.method == "POST" else None, version=found)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        changed = settings.change(
            found,
            request.user,
            labs=list(values["labs"]),
            all_labs=values["all_labs"],
            systems=form.ordered_systems(),
            is_development=values["is_development"],
            is_pinned=values["is_pinned"],
            is_hidden=values["is_hidden"],
            address=request.META.get("REMOTE_ADDR"),
        )
        messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
        return redirect(_address(name, version))
    status = 400 if request.method == "POST" else 200
    return render(
        request, "pipelines/settings.html", {"form": form, "version": found}, status=status
    )


def _address(name: str, version: str) -> str:
    return f"{reverse('pipeline-detail', args=[name])}?{urlencode({'version': version})}"
