"""Applications, middleware, templates, static files, language, mail, and Centro's own values."""

from importlib.metadata import distribution
from pathlib import Path

from centro import __version__
from centro.config.model import ROOT
from centro.languages import languages_of
from centro.settings.configuration import config

BASE_DIR = ROOT
DEBUG = config.debug
SECRET_KEY = config.secret_key
ALLOWED_HOSTS = config.hosts
ROOT_URLCONF = "centro.urls"
WSGI_APPLICATION = "centro.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "centro",
    "api",
    "pipeline_management",
    "accounts",
    # Without its search for admin modules: only the web server needs them (centro/urls.py).
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_ace",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "centro.middleware.RequestIdMiddleware",
    "centro.middleware.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "centro.middleware.DatabaseUnavailableMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "centro.middleware.VisibleTextMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

# Static files come from our own directory and from wheels; nothing is copied in or fetched from a CDN.
_BOOTSTRAP = Path(str(distribution("bootstrap-wrapper").locate_file("bootstrap")))
STATIC_URL = "static/"
STATIC_ROOT = config.var / "static"
STATICFILES_DIRS = [ROOT / "static", ("bootstrap", _BOOTSTRAP)]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "centro.staticfiles.StaticFiles"},
}
# Until collectstatic has run (development, tests) files are served from where they lie.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en-gb"
USE_I18N = True
LOCALE_PATHS = [ROOT / "locale"]
# Only languages that Centro itself speaks: Django brings some hundred, and a page would mix them with English.
LANGUAGES = languages_of(LOCALE_PATHS[0], LANGUAGE_CODE)
USE_TZ = True
TIME_ZONE = config.time_zone

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if config.email.host
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = config.email.host or ""
EMAIL_PORT = config.email.port
EMAIL_HOST_USER = config.email.user or ""
EMAIL_HOST_PASSWORD = config.email.password or ""
EMAIL_USE_TLS = config.email.security == "starttls"
EMAIL_USE_SSL = config.email.security == "tls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = config.email.sender
ADMINS = [(address, address) for address in config.email.admins]

CENTRO_VERSION = __version__
CENTRO_VAR = config.var
CENTRO_PUBLIC_URL = config.url
CENTRO_ENCRYPTION_KEYS = config.encryption_keys
CENTRO_REDIS_URL = config.cache_url
CENTRO_METRICS_ADDRESSES = config.metrics_addresses
CENTRO_TRUSTED_PROXIES = config.proxies
CENTRO_WEB_THREADS = config.web_threads
CENTRO_WEBSOCKETS_PER_PERSON = config.websockets_per_person
CENTRO_WEBSOCKET_HEARTBEAT = config.websocket_heartbeat
CENTRO_LEASE_SECONDS = config.lease_seconds
CENTRO_SETTLE_SECONDS = config.settle_seconds
CENTRO_NFS_GRACE_SECONDS = config.nfs_grace_seconds
CENTRO_PHANTOM_SECONDS = config.phantom_seconds
CENTRO_LOG_ERROR_PATTERNS = config.log_error_patterns
CENTRO_WEBHOOK_ALLOW_PRIVATE = config.webhook_allow_private
CENTRO_SUBMIT_BATCH = config.submit_batch
CENTRO_STAGING = {
    **config.staging.model_dump(),
    "path": config.staging.path or config.var / "staging",
}
