"""Addresses of the catalogue's and the systems' pages."""

from django.urls import path

from pipeline_management.views import catalogue, pipelines, system_checks, systems

urlpatterns = [
    path("pipelines/", pipelines.pipeline_list, name="pipelines"),
    path("pipelines/<str:name>/", pipelines.detail, name="pipeline-detail"),
    path(
        "pipelines/<str:name>/versions/<str:version>/settings/",
        catalogue.version_settings,
        name="pipeline-settings",
    ),
    # a pipeline could be called "upload", so this is not below pipelines/
    path("catalogue/upload/", catalogue.upload, name="pipeline-upload"),
    path("catalogue/upload/<uuid:pk>/", catalogue.confirm, name="pipeline-upload-confirm"),
    path("systems/", systems.system_list, name="systems"),
    path("systems/<str:name>/", systems.detail, name="system-detail"),
    path("systems/<str:name>/test/", system_checks.begin, name="system-test"),
    path("systems/<str:name>/test/<uuid:pk>/", system_checks.steps, name="system-test-steps"),
    path("maintenance/", systems.maintenances, name="system-maintenance"),
    path("maintenance/<int:pk>/", systems.maintenance_change, name="system-maintenance-change"),
    path("maintenance/<int:pk>/end/", systems.maintenance_end, name="system-maintenance-end"),
]
