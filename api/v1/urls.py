"""Addresses below /api/v1/."""

from django.urls import path, re_path

from api.v1.views import (
    annotations,
    catalogue,
    control,
    events,
    logs,
    people,
    root,
    runs,
    settling,
    submission,
    transfers,
    validation,
    workbooks,
)
from api.v1.views.provenance import RunProvenanceView
from api.v1.views.usage import UsageView

urlpatterns = [
    path("", root.IndexView.as_view(), name="api-index"),
    path("new-run/", submission.NewRunView.as_view(), name="api-new-run"),
    path("validate/", validation.ValidateView.as_view(), name="api-validate"),
    path("runs/", runs.RunListView.as_view(), name="api-runs"),
    path("runs/<uuid:run_id>/", runs.RunView.as_view(), name="api-run"),
    path("runs/<uuid:run_id>/events/", events.RunEventsView.as_view(), name="api-run-events"),
    path("runs/<uuid:run_id>/tasks/", events.RunTasksView.as_view(), name="api-run-tasks"),
    path(
        "runs/<uuid:run_id>/provenance/",
        RunProvenanceView.as_view(),
        name="api-run-provenance",
    ),
    path("runs/<uuid:run_id>/cancel/", runs.RunCancelView.as_view(), name="api-run-cancel"),
    path("runs/<uuid:run_id>/hold/", control.RunHoldView.as_view(), name="api-run-hold"),
    path("runs/<uuid:run_id>/release/", control.RunReleaseView.as_view(), name="api-run-release"),
    path(
        "runs/<uuid:run_id>/resubmit/", control.RunResubmitView.as_view(), name="api-run-resubmit"
    ),
    path("runs/<uuid:run_id>/resume/", control.RunResumeView.as_view(), name="api-run-resume"),
    path("runs/<uuid:run_id>/settle/", settling.RunSettleView.as_view(), name="api-run-settle"),
    path("runs/<uuid:run_id>/labels/", annotations.RunLabelsView.as_view(), name="api-run-labels"),
    path(
        "runs/<uuid:run_id>/labels/<str:name>/",
        annotations.RunLabelView.as_view(),
        name="api-run-label",
    ),
    path("runs/<uuid:run_id>/notes/", annotations.RunNotesView.as_view(), name="api-run-notes"),
    path(
        "runs/<uuid:run_id>/notes/<int:note_id>/",
        annotations.RunNoteView.as_view(),
        name="api-run-note",
    ),
    path("runs/<uuid:run_id>/star/", annotations.RunStarView.as_view(), name="api-run-star"),
    path("runs/cancel/", control.RunsCancelView.as_view(), name="api-runs-cancel"),
    path("runs/hold/", control.RunsHoldView.as_view(), name="api-runs-hold"),
    path("runs/release/", control.RunsReleaseView.as_view(), name="api-runs-release"),
    path("runs/<uuid:run_id>/log/", logs.RunLogView.as_view(), name="api-run-log"),
    path(
        "runs/<uuid:run_id>/log/search/",
        logs.RunLogSearchView.as_view(),
        name="api-run-log-search",
    ),
    path("runs/<uuid:run_id>/log/lines/", logs.RunLogLinesView.as_view(), name="api-run-log-lines"),
    path(
        "runs/<uuid:run_id>/log/download/",
        logs.RunLogDownloadView.as_view(),
        name="api-run-log-download",
    ),
    path("pipelines/", catalogue.PipelineListView.as_view(), name="api-pipelines"),
    path("pipelines/<str:name>/", catalogue.PipelineView.as_view(), name="api-pipeline"),
    path(
        "pipelines/<str:name>/versions/<str:version>/",
        catalogue.PipelineVersionView.as_view(),
        name="api-pipeline-version",
    ),
    path(
        "pipelines/<str:name>/versions/<str:version>/schema/",
        catalogue.PipelineSchemaView.as_view(),
        name="api-pipeline-schema",
    ),
    path(
        "pipelines/<str:name>/versions/<str:version>/workbook/",
        workbooks.PipelineWorkbookView.as_view(),
        name="api-pipeline-workbook",
    ),
    path("workbook/marked/", workbooks.WorkbookMarkedView.as_view(), name="api-workbook-marked"),
    path("systems/", catalogue.SystemListView.as_view(), name="api-systems"),
    path("systems/<str:name>/", catalogue.SystemView.as_view(), name="api-system"),
    path("usage/", UsageView.as_view(), name="api-usage"),
    path("transfers/", transfers.TransferListView.as_view(), name="api-transfers"),
    path(
        "transfers/<uuid:transfer_id>/",
        transfers.TransferDetailView.as_view(),
        name="api-transfer",
    ),
    path(
        "transfers/<uuid:transfer_id>/parts/",
        transfers.TransferPartsView.as_view(),
        name="api-transfer-parts",
    ),
    path(
        "transfers/<uuid:transfer_id>/complete/",
        transfers.TransferCompleteView.as_view(),
        name="api-transfer-complete",
    ),
    path(
        "transfers/<uuid:transfer_id>/cancel/",
        transfers.TransferCancelView.as_view(),
        name="api-transfer-cancel",
    ),
    path(
        "transfers/<uuid:transfer_id>/retry/",
        transfers.TransferRetryView.as_view(),
        name="api-transfer-retry",
    ),
    path("whoami/", people.WhoAmIView.as_view(), name="api-whoami"),
    path("tokens/", people.TokenListView.as_view(), name="api-tokens"),
    path("tokens/<int:token_id>/", people.TokenView.as_view(), name="api-token"),
    path("schema/", root.schema_view, name="api-schema"),
    path("docs/", root.docs_view, name="api-docs"),
    path("docs/reference/", root.reference_view, name="api-reference"),
    re_path(r"^.*\Z", root.NothingHereView.as_view(), name="api-nothing"),
]
