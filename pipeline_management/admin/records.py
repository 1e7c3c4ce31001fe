"""Runs, events and audit records: to read, never to change. Only services write them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from pipeline_management.models import Attempt, AuditEvent, Heartbeat, Run, RunEvent


class _ReadOnly:
    """No adding, changing or deleting, for nobody. The state machine would not know of it."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EventInline(_ReadOnly, admin.TabularInline):
    """The events of a run."""

    model = RunEvent
    fields = ("seq", "at", "actor", "type", "from_state", "to_state", "evidence", "data")
    readonly_fields = fields
    extra = 0


class AttemptInline(_ReadOnly, admin.TabularInline):
    """The attempts of a run."""

    model = Attempt
    fields = ("number", "job_id", "created_at", "submitted_at", "found_by", "lost_at")
    readonly_fields = fields
    extra = 0


@admin.register(Run)
class RunAdmin(_ReadOnly, admin.ModelAdmin):
    """Every column of a run, for diagnosis."""

    list_display = ("short_id", "name", "version", "lab", "submitter", "system", "state", "attention", "created_at")
    list_filter = ("state", "attention", "system", "lab")
    list_select_related = ("version__pipeline", "lab", "submitter", "system")
    search_fields = ("id", "name", "job_id", "key", "submitter__username")
    date_hierarchy = None
    show_full_result_count = False
    inlines = (AttemptInline, EventInline)
    readonly_fields = ("page",)

    @admin.display(description=_("run"))
    def short_id(self, run: Run) -> str:
        return str(run.pk)[:8]

    @admin.display(description=_("page"))
    def page(self, run: Run) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("run-detail", args=[run.pk]), run.pk)


@admin.register(RunEvent)
class RunEventAdmin(_ReadOnly, admin.ModelAdmin):
    """What happened to runs, all of them together."""

    list_display = ("at", "run_id", "seq", "type", "from_state", "to_state", "evidence", "actor")
    list_filter = ("type", "to_state", "evidence")
    search_fields = ("run__id", "actor")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(AuditEvent)
class AuditEventAdmin(_ReadOnly, admin.ModelAdmin):
    """Who did what, from where."""

    list_display = ("at", "actor_name", "action", "target", "address")
    list_filter = ("action",)
    search_fields = ("actor_name", "action", "target", "address")
    show_full_result_count = False


@admin.register(Heartbeat)
class HeartbeatAdmin(_ReadOnly, admin.ModelAdmin):
    """The background work's last signs of life."""

    list_display = ("name", "at", "holder", "lease_until")
