"""The configuration reader: precedence, exact faults, derived values, the generated secrets file."""

from __future__ import annotations

import base64
import json
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from centro.config import Config, ConfigError, load, secrets_file
from centro.config.__main__ import main
from centro.config.model import ROOT
from centro.config.reference import render

SECRET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
KEY = base64.urlsafe_b64encode(bytes(32)).decode()  # the same in every pytest-xdist worker


def read(tmp_path: Path, secrets: Any = None, **environ: str) -> Config:
    """Load from a secrets file with the given extra keys (or text) and CENTRO_ variables."""
    path = tmp_path / "secrets.json"
    if isinstance(secrets, str):
        path.write_text(secrets)
    else:
        path.write_text(json.dumps({"secret_key": SECRET, "encryption_keys": [KEY]} | (secrets or {})))
    return load({"CENTRO_SECRETS": str(path)} | environ)


def faults(tmp_path: Path, secrets: Any = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, secrets, **environ)
    return str(caught.value)


BAD_ENVIRONMENT = [
    ("CENTRO_PRT", "1", "did you mean CENTRO_PORT?"),
    ("CENTRO_DATABASE", "x", "did you mean CENTRO_DATABASE_URL?"),
    ("CENTRO_NONSENSE", "1", "is not a setting of Centro"),
    ("CENTRO_PORT", "eighty", "expected a whole number, not 'eighty'"),
    ("CENTRO_PORT", "0", "greater than or equal to 1"),
    ("CENTRO_PORT", "65536", "less than or equal to 65535"),
    ("CENTRO_DEBUG", "maybe", "expected one of 1, true, yes, on"),
    ("CENTRO_TIME_ZONE", "Mars/Olympus", "not a zone of the tz database"),
    ("CENTRO_LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ("CENTRO_SECRET_KEY", "short", "at least 50 characters"),
    ("CENTRO_SECRET_KEY", "django-insecure-" + SECRET, "is a sample value"),
    ("CENTRO_SECRET_KEY", "ab" * 40, "is a sample value"),
    ("CENTRO_ENCRYPTION_KEYS", f"{KEY},nonsense", "key 2 is not a Fernet key"),
    ("CENTRO_ENCRYPTION_KEYS", ",", "at least 1 item"),
    ("CENTRO_REDIS_URL", "localhost:6379", "must start with redis://"),
    ("CENTRO_REDIS_URL", "redis://", "names no host"),
    ("CENTRO_REDIS_URL", "redis://h:99999/0", "port"),
    ("CENTRO_REDIS_URL", "unix://relative/path", "unix:///absolute/path"),
    ("CENTRO_DATABASE_URL", "postgres://u@h/d", "expected mysql://"),
    ("CENTRO_DATABASE_URL", "sqlite:///relative.db", "sqlite:////absolute/path"),
    ("CENTRO_DATABASE_URL", "mysql://u:p@h:abc/d", "port must be a number"),
    ("CENTRO_DATABASE_URL", "mysql://u:p@h/d?charset=latin1", "no options"),
    ("CENTRO_DATABASE_URL", "mysql://h:3306", "also needs name and user"),
    ("CENTRO_PUBLIC_URL", "portal.example.org", "expected http://host"),
    ("CENTRO_PUBLIC_URL", "https://portal.example.org/centro", "without a path"),
    ("CENTRO_TRUSTED_PROXIES", "9", "less than or equal to 5"),
    ("CENTRO_ADMIN_PASSWORD", "1234", "at least 8 characters"),
    ("CENTRO_WEB_PROCESSES", "0", "greater than or equal to 1"),
    ("CENTRO_WORKER_THREADS", "1", "greater than or equal to 2"),
    ("CENTRO_LEASE_SECONDS", "-5", "greater than or equal to 1"),
    ("CENTRO_LEASE_SECONDS", "1.5", "expected a whole number"),
    ("CENTRO_SUBMIT_BATCH", "1000", "less than or equal to 200"),
    ("CENTRO_METRICS_ADDRESSES", "127.0.0.1,anyone", "'anyone' is not an IP address"),
    ("CENTRO_EMAIL_PORT", "99999", "less than or equal to 65535"),
    ("CENTRO_EMAIL_SECURITY", "ssl", "'none', 'starttls' or 'tls'"),
    ("CENTRO_EMAIL_ADMINS", "nobody", "expected a mail address"),
    ("CENTRO_MAIL_FROM", "nobody", "expected a mail address"),
    ("CENTRO_MAIL_URL", "mail.example.org", "expected smtp://user:password@host:port"),
    ("CENTRO_MAIL_URL", "smtp://mail:abc", "port must be a number"),
    ("CENTRO_MAIL_URL", "smtp://user@mail", "user and password belong together"),
    ("CENTRO_MAIL_URL", "smtp://mail?tls=1", "the only option is ?starttls=true"),
    ("CENTRO_MAIL_URL", "smtps://mail?starttls=true", "smtps:// begins with TLS"),
    ("CENTRO_WEBHOOK_ALLOW_PRIVATE", "maybe", "expected one of 1, true, yes, on"),
]


@pytest.mark.parametrize(("variable", "value", "expected"), BAD_ENVIRONMENT)
def test_bad_variable_is_named_with_what_was_expected(
    tmp_path: Path, variable: str, value: str, expected: str
) -> None:
    text = faults(tmp_path, **{variable: value})
    assert text.startswith(variable)
    assert expected in text
    assert "\n" not in text


BAD_SECRETS: list[tuple[Any, str, str]] = [
    ("{", "", "is not JSON"),
    ('{"a": 1,}', "", "line 1, column 9"),
    ("[]", "", "expected a JSON object"),
    ('{"port": 1, "port": 2}', "", "key 'port' is given twice"),
    ({"databse": {}}, "databse", "is not a setting of Centro; known here: admin_password"),
    ({"database": {"engine": "postgres"}}, "database.engine", "'sqlite' or 'mysql'"),
    ({"database": {"engine": "mysql", "name": "x"}}, "database", "also needs user"),
    ({"database": {"engine": "mysql", "nme": "x"}}, "database.nme", "known here: engine, host, name"),
    ({"database": {"name": "x"}}, "database", "did you mean engine 'mysql'?"),
    ({"database": {"engine": "mysql", "name": "x", "user": "y", "path": "/z"}}, "database", "'path'"),
    ({"database": {"engine": "mysql", "name": "x", "user": "y", "port": "3306"}}, "database.port", "integer"),
    ({"database": "mysql"}, "database", "object"),
    ({"port": "8000"}, "port", "valid integer"),
    ({"port": 8000.5}, "port", "valid integer"),
    ({"debug": "no"}, "debug", "valid boolean"),
    ({"debug": 1}, "debug", "valid boolean"),
    ({"allowed_hosts": "a.example"}, "allowed_hosts", "valid array"),
    ({"allowed_hosts": [""]}, "allowed_hosts.0", "at least 1 character"),
    ({"email": {"prot": 25}}, "email.prot", "known here: admins, host"),
    ({"secret_key": None}, "secret_key", "valid string"),
    ({"encryption_keys": []}, "encryption_keys", "at least 1 item"),
]


@pytest.mark.parametrize(("secrets", "key", "expected"), BAD_SECRETS)
def test_bad_secrets_file_is_named_with_key_and_what_was_expected(
    tmp_path: Path, secrets: Any, key: str, expected: str
) -> None:
    text = faults(tmp_path, secrets)
    assert text.startswith(f"{tmp_path / 'secrets.json'}: {key}")
    assert expected in text


def test_missing_secrets_say_how_to_make_them(tmp_path: Path) -> None:
    text = faults(tmp_path, "{}")
    assert [line.split(": ")[1] for line in text.splitlines()] == ["secret_key", "encryption_keys"]
    assert "python -m centro.config init" in text


def test_all_faults_are_said_at_once_and_no_secret_is_repeated(tmp_path: Path) -> None:
    text = faults(tmp_path, CENTRO_PORT="x", CENTRO_NOPE="1", CENTRO_DATABASE_URL="pg://u:hunter2@h/d")
    assert [line.split(":")[0] for line in text.splitlines()] == [
        "CENTRO_DATABASE_URL",
        "CENTRO_NOPE",
        "CENTRO_PORT",
    ]
    assert "hunter2" not in text
    assert "hunter2hunter2" not in faults(tmp_path, CENTRO_SECRET_KEY="hunter2hunter2")


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    assert read(tmp_path).port == 8000
    assert read(tmp_path, {"port": 9000}).port == 9000
    assert read(tmp_path, {"port": 9000}, CENTRO_PORT="9100").port == 9100
    assert read(tmp_path, {"port": 9000}, CENTRO_PORT="").port == 9000


def test_environment_merges_into_a_section(tmp_path: Path) -> None:
    config = read(tmp_path, {"email": {"host": "mail", "port": 25}}, CENTRO_EMAIL_PORT="587")
    assert (config.email.host, config.email.port) == ("mail", 587)


def test_lists_and_switches_from_the_environment(tmp_path: Path) -> None:
    config = read(tmp_path, CENTRO_ALLOWED_HOSTS="a.example, b.example,", CENTRO_DEBUG="Yes")
    assert config.allowed_hosts == ["a.example", "b.example"]
    assert config.debug is True


def test_variables_of_the_lab_and_of_the_scripts_are_not_refused(tmp_path: Path) -> None:
    assert read(tmp_path, CENTRO_LAB_DIR="/x", CENTRO_TEST_X="1", CENTRO_VENV="/y").port == 8000


def test_database_url_of_mariadb(tmp_path: Path) -> None:
    database = read(tmp_path, CENTRO_DATABASE_URL="mysql://u%40x:p%2Fw@db.example:3307/centro").database
    assert (database.engine, database.user, database.password) == ("mysql", "u@x", "p/w")
    assert (database.host, database.port, database.name) == ("db.example", 3307, "centro")


def test_database_of_the_secrets_file(tmp_path: Path) -> None:
    wanted = {"engine": "mysql", "name": "jetstream", "user": "jetstreamuser"}
    assert read(tmp_path, {"database": wanted}).database.name == "jetstream"


def test_sqlite_file_defaults_into_the_state_directory(tmp_path: Path) -> None:
    assert read(tmp_path, CENTRO_VAR=str(tmp_path)).database_file == tmp_path / "centro.sqlite3"
    other = read(tmp_path, CENTRO_DATABASE_URL="sqlite:////srv/a.db")
    assert other.database_file == Path("/srv/a.db")


def test_relative_paths_count_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path, CENTRO_VAR="state").var == tmp_path / "state"


def test_own_valkey_in_both_forms(tmp_path: Path) -> None:
    config = read(tmp_path, CENTRO_VAR="/srv/centro")
    assert config.embedded_redis
    assert config.cache_url == "unix:///srv/centro/run/valkey.sock?db=0"
    assert config.broker_url == "redis+socket:///srv/centro/run/valkey.sock?virtual_host=0"


def test_given_redis_in_both_forms(tmp_path: Path) -> None:
    config = read(tmp_path, CENTRO_REDIS_URL="redis://h:1/3")
    assert not config.embedded_redis
    assert config.cache_url == config.broker_url == "redis://h:1/3"
    unix = read(tmp_path, CENTRO_REDIS_URL="unix:///s?db=2")
    assert unix.broker_url == "redis+socket:///s?virtual_host=2"


def test_socket_path_stays_below_the_kernels_limit(tmp_path: Path) -> None:
    deep = Path("/" + "d" * 90)
    config = read(tmp_path, CENTRO_VAR=str(deep))
    assert deep not in config.run_dir.parents
    assert len(str(config.run_dir / "supervisor.sock.12345678")) < 100
    assert config.run_dir != read(tmp_path, CENTRO_VAR=str(deep) + "e").run_dir


def test_public_url_decides_about_https_and_proxies(tmp_path: Path) -> None:
    plain = read(tmp_path, CENTRO_HOST="::", CENTRO_PORT="81")
    assert (plain.url, plain.https, plain.proxies) == ("http://127.0.0.1:81", False, 0)
    secure = read(tmp_path, CENTRO_PUBLIC_URL="https://portal.example.org/")
    assert (secure.url, secure.https, secure.proxies) == ("https://portal.example.org", True, 1)
    assert "portal.example.org" in secure.hosts
    assert read(tmp_path, CENTRO_HOST="::1").url == "http://[::1]:8000"
    text = faults(tmp_path, CENTRO_PUBLIC_URL="https://p.example", CENTRO_TRUSTED_PROXIES="0")
    assert "trusted_proxies of at least 1" in text


def test_secrets_file_is_private_complete_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    assert secrets_file.create(path) is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_text()
    assert load({"CENTRO_SECRETS": str(path)}).secret_key == json.loads(first)["secret_key"]
    assert secrets_file.create(path) is False
    assert path.read_text() == first
    assert [p.name for p in path.parent.iterdir()] == ["secrets.json"]


def test_unreadable_secrets_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load({"CENTRO_SECRETS": str(tmp_path)})


def test_command_line_check_and_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CENTRO_SECRETS", str(tmp_path / "new.json"))
    monkeypatch.setenv("CENTRO_VAR", str(tmp_path / "it's var"))
    assert main(["check"]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main(["shell", "--init"]) == 0
    shell = capsys.readouterr().out
    assert f"centro_var='{tmp_path}/it'\"'\"'s var'" in shell.splitlines()
    assert json.loads((tmp_path / "new.json").read_text())["secret_key"] not in shell
    values = dict(word.split("=", 1) for word in shlex.split(shell))
    # a deep temporary directory moves the run directory elsewhere
    assert stat.S_IMODE(Path(values["centro_run_dir"]).stat().st_mode) == 0o700
    assert main(["check"]) == 0


def test_reference_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == render(), "run: python -m centro.config docs > docs/configuration.md"


def test_every_setting_is_explained() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 25, "none", None, None)),
        ("smtps://me:p%40ss@mail", ("mail", 465, "tls", "me", "p@ss")),
        ("smtp://me:x@mail?starttls=true", ("mail", 587, "starttls", "me", "x")),
        ("smtp+starttls://mail:2525", ("mail", 2525, "starttls", None, None)),
    ],
)
def test_one_variable_names_the_mail_server(tmp_path: Path, url: str, expected: tuple[Any, ...]) -> None:
    config = read(tmp_path, CENTRO_MAIL_URL=url, CENTRO_MAIL_FROM="centro@example.org")
    mail = config.email
    assert (mail.host, mail.port, mail.security, mail.user, mail.password) == expected
    assert mail.sender == "centro@example.org"


def test_the_mail_server_is_named_once(tmp_path: Path) -> None:
    text = faults(tmp_path, CENTRO_MAIL_URL="smtp://a", CENTRO_EMAIL_HOST="b")
    assert text == "CENTRO_MAIL_URL: says the same as CENTRO_EMAIL_HOST; give one of them"
