"""Addresses of the file browser and of a run's files."""

from django.urls import path, register_converter

from pipeline_management.file_names import RawPath
from pipeline_management.views.file_content import content
from pipeline_management.views.files import browse, index
from pipeline_management.views.run_files import files as run_files
from pipeline_management.views.run_reports import reports

register_converter(RawPath, "raw")

urlpatterns = [
    path("files/", index, name="files"),
    path("files/<str:system>/", browse, name="files-system"),
    path("files/<str:system>/<raw:path>", browse, name="files-path"),
    path("content/<str:token>/<raw:name>", content, name="file-content"),
    path("runs/<uuid:pk>/files/", run_files, name="run-files"),
    path("runs/<uuid:pk>/files/<raw:path>", run_files, name="run-file"),
    path("runs/<uuid:pk>/reports/", reports, name="run-reports"),
]
