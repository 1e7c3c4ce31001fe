"""Transports, schedulers and remote file commands. Pure Python: imports neither Django nor Celery."""
