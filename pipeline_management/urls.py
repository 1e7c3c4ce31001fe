"""Addresses of the pages."""

from django.urls import path

from pipeline_management.views import dashboard, pipelines, run_detail, runs, submit, systems

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/export/", runs.export, name="runs-export"),
    path("runs/<uuid:pk>/", run_detail.detail, name="run-detail"),
    path("runs/<uuid:pk>/status/", run_detail.status, name="run-status"),
    path("runs/<uuid:pk>/log/", run_detail.log, name="run-log"),
    path("runs/<uuid:pk>/cancel/", run_detail.cancel, name="run-cancel"),
    path("submit/", submit.submit, name="submit"),
    path("custom/", submit.submit, name="custom"),
    path("pipelines/", pipelines.pipeline_list, name="pipelines"),
    path("pipelines/<str:name>/", pipelines.detail, name="pipeline-detail"),
    path("systems/", systems.system_list, name="systems"),
    path("systems/<str:name>/", systems.detail, name="system-detail"),
]
