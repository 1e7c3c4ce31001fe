"""Addresses of the pages."""

from django.urls import path

from pipeline_management.views import (
    catalogue_urls,
    check,
    dashboard,
    file_urls,
    form_state,
    notifications,
    run_annotations,
    run_compare,
    run_control,
    run_events,
    run_head,
    run_many,
    run_search,
    run_tabs,
    runs,
    staging,
    workbook,
)
from pipeline_management.views import usage as usage_pages
from pipeline_management.views.output import log
from pipeline_management.views.run_detail import cancel, detail, status
from pipeline_management.views.run_settle import settle
from pipeline_management.views.submit import submit
from pipeline_management.views.transfers import cancel as transfer_cancel
from pipeline_management.views.transfers import file as transfer_file
from pipeline_management.views.transfers import retry as transfer_retry
from pipeline_management.views.transfers import transfers

WEBHOOK = "labs/<str:slug>/webhooks/<int:webhook_id>"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/export/", runs.export, name="runs-export"),
    path("runs/<uuid:pk>/", detail, name="run-detail"),
    path("runs/<uuid:pk>/status/", status, name="run-status"),
    path("runs/compare/", run_compare.runs, name="runs-compare"),
    path("runs/<uuid:pk>/head/", run_head.head, name="run-head"),
    path("runs/<uuid:pk>/configuration/", run_tabs.configuration, name="run-configuration"),
    path("runs/<uuid:pk>/usage/", run_tabs.usage, name="run-usage"),
    path("runs/<uuid:pk>/provenance/", run_tabs.provenance, name="run-provenance"),
    path("runs/<uuid:pk>/tasks/", run_events.tasks, name="run-tasks"),
    path("runs/<uuid:pk>/events/", run_events.events, name="run-events"),
    path("runs/<uuid:pk>/log/", log, name="run-log"),
    path("runs/<uuid:pk>/cancel/", cancel, name="run-cancel"),
    path("runs/<uuid:pk>/hold/", run_control.hold, name="run-hold"),
    path("runs/<uuid:pk>/release/", run_control.release, name="run-release"),
    path("runs/<uuid:pk>/resubmit/", run_control.resubmit, name="run-resubmit"),
    path("runs/<uuid:pk>/resume/", run_control.resume, name="run-resume"),
    path("runs/<uuid:pk>/settle/", settle, name="run-settle"),
    path("runs/<uuid:pk>/waiting/", run_control.waiting, name="run-waiting"),
    path("runs/<uuid:pk>/star/", run_annotations.star, name="run-star"),
    path("runs/<uuid:pk>/labels/", run_annotations.labels, name="run-labels"),
    path("runs/<uuid:pk>/notes/", run_annotations.add_note, name="run-notes"),
    path(
        "runs/<uuid:pk>/notes/<int:note_id>/delete/",
        run_annotations.delete_note,
        name="run-note-delete",
    ),
    path("runs/many/", run_many.many, name="runs-many"),
    path("runs/suggestions/", run_search.suggestions, name="runs-suggestions"),
    path("runs/views/", run_search.save, name="runs-view-save"),
    path("runs/views/<int:view_id>/delete/", run_search.delete, name="runs-view-delete"),
    path("submit/", submit, name="submit"),
    path("submit/draft/", form_state.draft, name="submit-draft"),
    path("submit/workbook/", workbook.workbook, name="submit-workbook"),
    path("custom/", submit, name="custom"),
    path("submit/check/", check.check, name="submit-check"),
    path("submit/preflight/", check.system, name="submit-preflight"),
    *catalogue_urls.urlpatterns,
    path("pipelines/<str:name>/schema/", form_state.schema, name="pipeline-schema"),
    path("pipelines/<str:name>/workbook/", workbook.download, name="pipeline-workbook"),
    path("usage/", usage_pages.usage, name="usage"),
    path("usage/export/", usage_pages.export, name="usage-export"),
    path("usage/budgets/<str:slug>/", usage_pages.budget, name="usage-budget"),
    path("staging", staging.form, name="staging-form"),
    path("staging/<path:key>", staging.item, name="staging-item"),
    *file_urls.urlpatterns,
    path("transfers/", transfers, name="transfers"),
    path("transfers/<uuid:pk>/file/", transfer_file, name="transfer-file"),
    path("transfers/<uuid:pk>/cancel/", transfer_cancel, name="transfer-cancel"),
    path("transfers/<uuid:pk>/retry/", transfer_retry, name="transfer-retry"),
    path("notifications/", notifications.mine, name="notifications"),
    path("labs/<str:slug>/webhooks/", notifications.webhook_list, name="webhooks"),
    path(f"{WEBHOOK}/", notifications.webhook, name="webhook"),
    path(f"{WEBHOOK}/switch/", notifications.switch, name="webhook-switch"),
    path(f"{WEBHOOK}/delete/", notifications.delete, name="webhook-delete"),
    path(f"{WEBHOOK}/test/", notifications.send_test, name="webhook-test"),
    path(
        f"{WEBHOOK}/deliveries/<uuid:delivery_id>/again/",
        notifications.send_again,
        name="webhook-resend",
    ),
]
