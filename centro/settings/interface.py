"""REST framework, OpenAPI, forms and tables."""

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.authentication.PasswordAuthentication",
        "api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "api.permissions.TokenMayDoIt",
    ],
    "EXCEPTION_HANDLER": "api.exceptions.answer",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Centro",
    "DESCRIPTION": "Post a run configuration, follow the run, read its log.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "PREPROCESSING_HOOKS": ["api.firecrest.description.without_firecrest"],
    "ENUM_NAME_OVERRIDES": {
        "RunState": "api.v1.serializers.RUN_STATES",
        "RunSource": "api.v1.serializers.RUN_SOURCES",
        "LogSource": "api.v1.serializers.LOG_SOURCES",
        "ConfirmationSource": "api.v1.serializers.CONFIRMATION_SOURCES",
        "HealthState": "api.v1.serializers.HEALTH_STATES",
        "RunKind": "api.v1.serializers.RUN_KINDS",
        "OriginKind": "api.v1.serializers.ORIGIN_KINDS",
        "TransferState": "api.v1.transfers.TRANSFER_STATES",
        "TokenScope": "accounts.models.TokenScope",
    },
}

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "django_tables2/bootstrap5.html"
