from pipeline_management.models.annotation import (
    LabLabel,
    RunInput,
    RunLabel,
    RunNote,
    RunStar,
    RunWord,
    SavedView,
)
from pipeline_management.models.api_task import ApiTask, SharedAnswer
from pipeline_management.models.archive import RunArchive
from pipeline_management.models.catalogue import (
    CatalogueUpload,
    Maintenance,
    SystemCheck,
    SystemQueue,
)
from pipeline_management.models.draft import Draft
from pipeline_management.models.event import AuditEvent, Heartbeat, RunEvent
from pipeline_management.models.notification import Delivery, MailPreference, RunEnding, Webhook
from pipeline_management.models.pipeline import Pipeline, PipelineSystem, PipelineVersion
from pipeline_management.models.report import RunTask
from pipeline_management.models.run import Attempt, Run, RunLog
from pipeline_management.models.system import System, SystemAccount
from pipeline_management.models.transfer import StoreRoute, Transfer
from pipeline_management.models.usage import COUNTERS, Budget, RunUsage, UsageDay, UsageMonth

__all__ = [
    "COUNTERS",
    "ApiTask",
    "Attempt",
    "AuditEvent",
    "Budget",
    "CatalogueUpload",
    "Delivery",
    "Draft",
    "Heartbeat",
    "LabLabel",
    "MailPreference",
    "Maintenance",
    "Pipeline",
    "PipelineSystem",
    "PipelineVersion",
    "Run",
    "RunArchive",
    "RunEnding",
    "RunEvent",
    "RunInput",
    "RunLabel",
    "RunLog",
    "RunNote",
    "RunStar",
    "RunTask",
    "RunUsage",
    "RunWord",
    "SavedView",
    "SharedAnswer",
    "StoreRoute",
    "System",
    "SystemAccount",
    "SystemCheck",
    "SystemQueue",
    "Transfer",
    "UsageDay",
    "UsageMonth",
    "Webhook",
]
