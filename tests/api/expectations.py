"""Who gets which answer: one row per address of the site, by its name in the URL configuration.

The six codes of a row stand for: nobody, a manager of another lab, and of the lab that the thing belongs
to a viewer, a submitter (whose run and token they are), a manager; last a site administrator.
A method that a row leaves out takes the kind's default. Bodies of POST are in ``bodies``.
"""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("nobody", "stranger", "viewer", "submitter", "manager", "administrator")


@dataclass(frozen=True)
class Row:
    """The expected codes by method."""

    get: str = ""
    post: str = ""
    put: str = ""
    patch: str = ""
    delete: str = ""
    default: str = "405 405 405 405 405 405"

    def codes(self, method: str) -> list[int]:
        """Six codes in the order of ``ROLES``."""
        return [int(code) for code in (getattr(self, method.lower()) or self.default).split()]


def api(get: str = "", **methods: str) -> Row:
    """Below /api/v1/ nobody learns even which methods there are."""
    return Row(get, **methods, default="401 405 405 405 405 405")


#                      nobody other viewer submitter manager administrator
EVERYBODY = "200 200 200 200 200 200"
ANY_USER_API = "401 200 200 200 200 200"
THE_LAB_API = "401 404 200 200 200 200"
THE_LAB_API_INCOMPLETE = "401 404 400 400 400 400"
MINE_API = "401 404 404 200 404 404"
ANY_USER_PAGE = "302 200 200 200 200 200"
THE_LAB_PAGE = "302 404 200 200 200 200"
THE_MANAGERS_PAGE = "302 404 404 404 200 200"
ADMINISTRATORS = "302 403 403 403 403 200"
ADMINISTRATORS_FORM = "302 403 403 403 403 302"

NOBODY = "403 403 403 403 403 403"
NOBODY_FORM = "400 400 400 400 400 400"

SITE = {
    "healthz": Row(EVERYBODY),
    "readyz": Row("503 503 503 503 503 503"),  # no worker runs in these tests
    "metrics": Row(EVERYBODY),  # by address: the tests come from loopback
    "admin-login": Row(default="302 302 302 302 302 302"),
    # The signature in the link or form is the authority, and there is none in these requests.
    "staging-form": Row(post=NOBODY_FORM),
    "staging-item": Row(NOBODY, put=NOBODY),
}

API = {
    "api-index": api(ANY_USER_API),
    "api-new-run": api(post="401 400 403 201 201 400"),  # the pipeline is the lab's; the administrator is in none
    "api-validate": api(post="401 200 403 200 200 200"),
    "api-runs": api(ANY_USER_API),
    "api-run": api(THE_LAB_API),
    "api-run-events": api(THE_LAB_API, post="401 401 401 401 401 401"),  # with its job's token only
    "api-run-tasks": api(THE_LAB_API),
    "api-run-provenance": api(THE_LAB_API),
    "api-run-labels": api(THE_LAB_API),
    "api-run-label": api(put="401 404 403 200 200 200", delete="401 404 403 204 204 204"),
    "api-run-notes": api(THE_LAB_API, post="401 404 403 201 201 201"),
    "api-run-note": api(delete="401 404 404 404 404 404"),  # there is no such note
    "api-run-star": api(put="401 404 204 204 204 204", delete="401 404 204 204 204 204"),
    "api-run-cancel": api(post="401 404 403 202 202 202"),
    "api-run-hold": api(post="401 404 403 202 202 202"),
    "api-run-release": api(post="401 404 403 202 202 202"),
    "api-run-resubmit": api(post="401 404 403 201 201 201"),
    "api-run-resume": api(post="401 404 403 409 409 409"),  # a plain script is not resumed
    "api-run-settle": api(post="401 404 403 403 403 415"),  # there is no body
    "api-runs-cancel": api(post="401 400 400 400 400 400"),  # the body names no runs
    "api-runs-hold": api(post="401 400 400 400 400 400"),
    "api-runs-release": api(post="401 400 400 400 400 400"),
    "api-run-log": api(THE_LAB_API),
    "api-run-log-search": api(THE_LAB_API_INCOMPLETE),  # what to look for is missing
    "api-run-log-lines": api(THE_LAB_API_INCOMPLETE),
    "api-run-log-download": api("401 404 404 404 404 404"),  # the run has written nothing
    "api-pipelines": api(ANY_USER_API),
    "api-pipeline": api(THE_LAB_API),
    "api-pipeline-version": api(THE_LAB_API),
    "api-pipeline-schema": api(THE_LAB_API),
    "api-pipeline-workbook": api(THE_LAB_API),
    "api-workbook-marked": api(post="401 415 415 415 415 415"),  # the body is no workbook
    "api-systems": api(ANY_USER_API),
    "api-system": api(THE_LAB_API),
    # The transfer is the submitter's own; nobody here but administrators may act on a "local" system directly.
    "api-usage": api(ANY_USER_API),
    "api-transfers": api(ANY_USER_API, post="401 400 400 400 400 400"),
    "api-transfer": api(MINE_API),
    "api-transfer-parts": api("401 404 404 409 404 404", post="401 404 404 409 404 404"),
    "api-transfer-complete": api(post="401 404 404 409 404 404"),
    "api-transfer-cancel": api(post="401 404 404 200 404 404"),
    "api-transfer-retry": api(post="401 404 404 409 404 404"),
    "api-whoami": api(ANY_USER_API),
    "api-tokens": api(ANY_USER_API, post="401 201 201 201 201 201"),
    "api-token": api(delete="401 404 404 204 404 404"),
    "api-schema": api(ANY_USER_API),
    "api-docs": Row(ANY_USER_PAGE),
    "api-reference": Row(ANY_USER_PAGE, default="302 405 405 405 405 405"),
    "api-nothing": Row(default="401 404 404 404 404 404"),
}

# Django's form views take PUT for POST; the CSRF check comes first in both.
ACCOUNTS = {
    "accounts:login": Row(EVERYBODY, post=EVERYBODY, put=EVERYBODY),
    "accounts:logout": Row(post="302 302 302 302 302 302"),
    "accounts:password": Row(
        ANY_USER_PAGE, post=ANY_USER_PAGE, put=ANY_USER_PAGE, default="302 405 405 405 405 405"
    ),
    "accounts:tokens": Row(ANY_USER_PAGE, post=ANY_USER_PAGE),
    "accounts:token-revoke": Row(post="302 404 404 302 404 404"),
    "accounts:clients": Row(ANY_USER_PAGE, post=ANY_USER_PAGE),
    "accounts:client-delete": Row(post="302 404 404 302 404 404"),
    # no issuer is configured here; with one: tests/accounts/test_sso.py
    "accounts:sso": Row("404 404 404 404 404 404"),
    "accounts:sso-callback": Row("404 404 404 404 404 404"),
    "accounts:sso-connect": Row("302 404 404 404 404 404", post="302 404 404 404 404 404"),
    "accounts:sso-disconnect": Row(post="302 404 404 302 404 404"),
}

# Nobody is logged in here: a client shows its secret.
OAUTH = {
    "oauth-token": Row(post="400 400 400 400 400 400"),
    "oauth-keys": Row(EVERYBODY),
}
WITHOUT_CSRF = {"oauth-token", "api-run-events", "staging-form", "staging-item"}

PAGES = {
    "dashboard": Row(ANY_USER_PAGE),
    "runs": Row(ANY_USER_PAGE),
    "runs-export": Row(ANY_USER_PAGE),
    "run-detail": Row(THE_LAB_PAGE),
    "run-status": Row(THE_LAB_PAGE),
    "run-tasks": Row(THE_LAB_PAGE),
    "run-head": Row("302 404 400 400 400 400"),  # the tab is missing
    "run-configuration": Row(THE_LAB_PAGE),
    "run-usage": Row(THE_LAB_PAGE),
    "run-provenance": Row(THE_LAB_PAGE),
    "runs-compare": Row(ANY_USER_PAGE),
    "run-events": Row(THE_LAB_PAGE),
    "run-log": Row(THE_LAB_PAGE),
    "run-cancel": Row("302 404 403 200 200 200", post="302 404 403 302 302 302"),
    "run-hold": Row(post="302 404 403 302 302 302"),
    "run-release": Row(post="302 404 403 302 302 302"),
    "run-resubmit": Row("302 404 403 200 200 200", post="302 404 403 302 302 302"),
    "run-resume": Row("302 404 403 409 409 409", post="302 404 403 409 409 409"),  # a plain script
    "run-settle": Row("302 404 403 403 403 409", post="302 404 403 403 403 409"),  # all is well with it
    "run-waiting": Row(THE_LAB_PAGE),
    "run-star": Row(post="302 404 302 302 302 302"),
    "run-labels": Row(THE_LAB_PAGE, post="302 404 403 302 302 302"),
    "run-notes": Row(post="302 404 403 302 302 302"),
    "run-note-delete": Row(post="302 404 404 404 404 404"),  # there is no such note
    "runs-suggestions": Row(ANY_USER_PAGE),
    "runs-view-save": Row(post="302 302 302 302 302 302"),
    "runs-view-delete": Row(post="302 302 302 302 302 302"),  # there is none: said on the list
    "runs-many": Row(post="302 400 400 400 400 400"),  # the body names no runs
    "submit": Row(ANY_USER_PAGE, post="302 400 403 302 302 400"),
    "submit-check": Row(post="302 200 403 200 200 200"),
    "submit-preflight": Row(post="302 200 403 200 200 200"),
    "custom": Row(ANY_USER_PAGE, post="302 400 403 302 302 400"),
    "submit-draft": Row(
        ANY_USER_PAGE,
        post="302 302 302 302 302 302",
        put="302 200 403 200 200 200",
        delete="302 204 204 204 204 204",
    ),
    "pipelines": Row(ANY_USER_PAGE),
    "pipeline-schema": Row(THE_LAB_PAGE),
    "pipeline-workbook": Row(THE_LAB_PAGE),
    "submit-workbook": Row(ANY_USER_PAGE, post="302 400 403 400 400 400"),  # no file
    "pipeline-detail": Row(THE_LAB_PAGE),
    "pipeline-settings": Row(ADMINISTRATORS, post=ADMINISTRATORS_FORM),
    "pipeline-upload": Row(ADMINISTRATORS, post="302 403 403 403 403 400"),  # no file is in the body
    "pipeline-upload-confirm": Row("302 403 403 403 403 404", post="302 403 403 403 403 404"),  # there is no such
    "usage": Row(ANY_USER_PAGE),
    "usage-export": Row(ANY_USER_PAGE),
    "usage-budget": Row(THE_MANAGERS_PAGE, post="302 404 404 404 400 400"),  # the form is empty
    "systems": Row(ANY_USER_PAGE),
    "system-detail": Row(THE_LAB_PAGE),
    "system-test": Row(post=ADMINISTRATORS_FORM),
    "system-test-steps": Row("302 403 403 403 403 404"),  # there is no such check
    "system-maintenance": Row(ADMINISTRATORS, post="302 403 403 403 403 400"),  # the form is empty
    "system-maintenance-change": Row("302 403 403 403 403 404", post="302 403 403 403 403 404"),
    "system-maintenance-end": Row(post="302 403 403 403 403 404"),
    "files": Row(ANY_USER_PAGE),
    # on a "local" system only administrators act with everybody's account
    "files-system": Row("302 403 403 403 403 200", post="302 403 403 403 403 400"),  # no action is in the body
    "files-path": Row("302 403 403 403 403 200", post="302 403 403 403 403 400"),
    "file-content": Row("302 403 403 403 403 403"),  # the token is none
    "run-files": Row(THE_LAB_PAGE),
    "run-file": Row(THE_LAB_PAGE),
    "run-reports": Row(THE_LAB_PAGE),
    "transfers": Row(ANY_USER_PAGE, post="302 400 400 400 400 400"),  # no path is in the body
    "transfer-file": Row("302 404 404 404 404 404"),  # nothing is ready
    "transfer-cancel": Row(post="302 404 404 302 404 404"),
    "transfer-retry": Row(post="302 404 404 302 404 404"),
    "notifications": Row(ANY_USER_PAGE, post="302 400 400 400 400 400"),  # no choice is in the body
    "webhooks": Row(THE_MANAGERS_PAGE, post="302 404 404 404 200 200"),
    "webhook": Row(THE_MANAGERS_PAGE),
    **{
        f"webhook-{name}": Row(post="302 404 404 404 302 302")
        for name in ("switch", "delete", "test", "resend")
    },
}

# Administration: for everybody but administrators each address leads to the log-in.
ADMIN_PAGES = {
    "admin:index", "admin:login", "admin:logout", "admin:password_change", "admin:password_change_done",
    "admin:autocomplete", "admin:jsi18n", "admin:view_on_site", "admin:app_list",
    "admin:((?P<url>.*)$)",  # anything else
}  # fmt: skip
ADMIN_MODELS = {
    "accounts_apitoken", "accounts_credential", "accounts_lab", "accounts_oauthclient", "accounts_outeridentity",
    "auth_group", "auth_user",
    "pipeline_management_auditevent", "pipeline_management_delivery", "pipeline_management_mailpreference",
    "pipeline_management_webhook",
    "pipeline_management_heartbeat", "pipeline_management_pipeline",
    "pipeline_management_pipelineversion", "pipeline_management_run", "pipeline_management_runevent",
    "pipeline_management_system",
}  # fmt: skip
ADMIN_VIEWS = ("changelist", "add", "history", "delete", "change")

TABLE = SITE | API | ACCOUNTS | OAUTH | PAGES
ADMIN = (
    ADMIN_PAGES
    | {f"admin:{model}_{view}" for model in ADMIN_MODELS for view in ADMIN_VIEWS}
    | {"admin:(<path:object_id>/)", "admin:auth_user_password_change"}
)
