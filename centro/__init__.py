"""The project: configuration, settings, URLs, processes, health. No business rules."""

__version__ = "0.1.0"
