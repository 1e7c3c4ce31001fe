"""Systems with their pinned host keys and accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError as SettingsError

from pipeline_management.choices import TransportKind
from pipeline_management.models import System, SystemAccount
from pipeline_management.services.site.schema import SystemPart


class SystemForm(forms.ModelForm):
    """Checks what the site file's reader checks too: a system set up here is as good as one applied."""

    class Meta:
        model = System
        exclude = ()
        help_texts = {
            "host_keys": _('A list of public host keys, like ["ssh-ed25519 AAAA…"]; see ssh-keyscan.'),
            "workdir": _("May hold {username}; a run's directory is made below it."),
            "poll_interval": _("Seconds between two looks at the queue while something changes."),
            "limits": _("max_connections, max_file_size_mb, command_timeout (seconds), window_mib"),
            "transfer_queue": _("For jobs that move files; empty is the scheduler's default queue."),
            "events": _("How jobs report; choose the file where they cannot reach Centro by HTTP."),
            "scheduler_options": _('For example {"bin_dir": "/usr/bin"}.'),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors:
            return values
        given = {name: values[name] for name in _CHECKED if values.get(name) not in (None, "", [], {})}
        if values.get("transport") == TransportKind.LOCAL:
            given = {name: value for name, value in given.items() if name not in _SSH_ONLY}
        try:
            SystemPart.model_validate(given)
        except SettingsError as error:
            for fault in error.errors():
                path = [str(part) for part in fault["loc"]]
                name = path[0] if path and path[0] in self.fields else None
                where = ".".join(path[1:])
                text = fault["msg"].removeprefix("Value error, ")
                self.add_error(name, ValidationError(f"{where}: {text}" if where else text))
        return values


_CHECKED = (
    *("name", "description", "transport", "host", "port", "host_keys", "scheduler"),
    *("scheduler_options", "workdir", "filesystems", "poll_interval", "limits"),
    *("transfer_queue", "events"),
)
_SSH_ONLY = ("host", "port", "host_keys")


class AccountInline(admin.TabularInline):
    """How Centro logs in there, for one person or (user left empty) for everybody."""

    model = SystemAccount
    fields = ("user", "username", "credential", "polled_at", "poll_error")
    readonly_fields = ("polled_at", "poll_error")
    autocomplete_fields = ("user",)
    extra = 0


@admin.register(System)
class SystemAdmin(admin.ModelAdmin):
    """Systems; their health is shown, not set."""

    form = SystemForm
    list_display = ("name", "description", "transport", "host", "scheduler", "enabled", "health", "health_at")
    list_filter = ("enabled", "health", "scheduler")
    search_fields = ("name", "host", "description")
    readonly_fields = ("health", "health_reason", "health_at", "submit_seconds")
    inlines = (AccountInline,)

    def has_delete_permission(self, request: HttpRequest, obj: System | None = None) -> bool:
        """A system that runs refer to can be disabled, not deleted."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.runs.exists())
