from pipeline_management.models.api_task import ApiTask
from pipeline_management.models.event import AuditEvent, Heartbeat, RunEvent
from pipeline_management.models.pipeline import Pipeline, PipelineSystem, PipelineVersion
from pipeline_management.models.run import Attempt, Run, RunLog
from pipeline_management.models.system import System, SystemAccount

__all__ = [
    "ApiTask",
    "Attempt",
    "AuditEvent",
    "Heartbeat",
    "Pipeline",
    "PipelineSystem",
    "PipelineVersion",
    "Run",
    "RunEvent",
    "RunLog",
    "System",
    "SystemAccount",
]
