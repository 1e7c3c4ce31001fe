from django.apps import AppConfig


class PipelineManagementConfig(AppConfig):
    name = "pipeline_management"
    verbose_name = "Pipelines and runs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Write down what people do to their own access: accounts cannot import from up here. And what
        decides over access must not be remembered for longer than it is true."""
        from accounts import remembered
        from accounts.signals import acted
        from pipeline_management.models import System, SystemAccount
        from pipeline_management.services import audit

        acted.connect(audit.record_access, dispatch_uid="audit")
        remembered.watch(System, SystemAccount)
