"""The administration pages; importing registers them."""

from pipeline_management.admin import pipelines, records, systems

__all__ = ["pipelines", "records", "systems"]
