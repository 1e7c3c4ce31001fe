from django.apps import AppConfig


class PipelineManagementConfig(AppConfig):
    name = "pipeline_management"
    verbose_name = "Pipelines and runs"
    default_auto_field = "django.db.models.BigAutoField"
