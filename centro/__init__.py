"""The project: configuration, settings, URLs, processes, health. No business rules."""
