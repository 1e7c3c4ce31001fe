"""Who was told of what: to read. Webhooks can be disabled and deleted, their secrets are never shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from pipeline_management.models import Delivery, MailPreference, Webhook


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    """Labs' webhooks. Their managers make them."""

    list_display = ("url", "lab", "states", "enabled", "created_by", "created_at")
    list_filter = ("enabled", "lab")
    list_select_related = ("lab", "created_by")
    search_fields = ("url", "lab__slug")
    fields = ("lab", "url", "states", "enabled", "created_by", "created_at")
    readonly_fields = ("lab", "url", "states", "created_by", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    """Mails and calls: what was delivered, what waits, what was given up and why."""

    list_display = (
        *(
            "created_at",
            "kind",
            "purpose",
            "address",
            "webhook",
            "state",
            "tries",
            "next_at",
            "error",
        ),
    )
    list_filter = ("state", "kind", "purpose")
    list_select_related = ("webhook",)
    search_fields = ("address", "run__id", "error")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MailPreference)
class MailPreferenceAdmin(admin.ModelAdmin):
    """What people want to be mailed."""

    list_display = ("user", "runs", "digest", "digest_hour", "digest_until")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)
    fields = ("user", "runs", "digest", "digest_hour")
