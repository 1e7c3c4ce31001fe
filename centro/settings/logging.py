"""Logging: one line per event on standard error; the supervisor or systemd keeps the files."""

from centro.settings.configuration import config

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "centro.logs.LineFormatter"}},
    "filters": {"server_error": {"()": "django.utils.log.RequireDebugFalse"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "mail_admins": {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["server_error"],
        },
    },
    "root": {"handlers": ["console"], "level": config.log_level},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {
            "handlers": ["mail_admins"] if config.email.admins else [],
            "level": "WARNING",
            "propagate": True,
        },
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "paramiko": {"level": "WARNING"},
        # Its debugging lines hold whole access tokens.
        "oauthlib": {"level": "INFO"},
        "celery": {"level": config.log_level},
        # A line per started and ended task would be several a second.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
