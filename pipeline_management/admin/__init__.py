"""The administration pages; importing registers them."""

from pipeline_management.admin import notifications, pipelines, records, systems

__all__ = ["notifications", "pipelines", "records", "systems"]
