"""The rows of ``bench.history``: made inside MariaDB out of numbered sequences, so that a million take seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bench.figures import say

CHUNK = 100_000
LABS, PEOPLE, PIPELINES, SYSTEMS = 10, 50, 20, 3
# n counts from 0, the newest run; its id is made of its number, so that other tables can name it
ID = (
    "CONCAT(SUBSTR(MD5(n), 1, 8), '-', SUBSTR(MD5(n), 9, 4), '-4', SUBSTR(MD5(n), 14, 3), '-8', SUBSTR(MD5(n), 18, 3),"
    " '-', SUBSTR(MD5(n), 21, 12))"
)
NOW = f"TIMESTAMP '{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}'"  # one for all: words have the time of their run
STATE = (
    "IF(n < 200, ELT(1 + n MOD 3, 'running', 'submitted', 'queued'), "
    "IF(n MOD 10 = 0, 'failed', IF(n MOD 33 = 0, 'cancelled', 'succeeded')))"
)
CREATED = f"TIMESTAMPADD(SECOND, -95 * n, {NOW})"
ENDED = f"TIMESTAMPADD(SECOND, 7200 - 95 * n, {NOW})"
FAILED = "(n >= 200 AND n MOD 10 = 0)"


def make(database: str, runs: int, events: int) -> float:
    """Create and fill the database; seconds that it took."""
    begun = time.monotonic()
    _create(database)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    places = _people_and_pipelines()
    _runs(runs, places)
    _others(runs, events)
    _used(runs)
    _execute(
        "ANALYZE TABLE pipeline_management_run, pipeline_management_runword, pipeline_management_runlabel"
    )
    return time.monotonic() - begun


def drop(database: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")
    connection.close()


def a_failed_run() -> str:
    """The id of a run of user1's lab that has failed."""
    from pipeline_management.models import Run

    return str(Run.objects.filter(state="failed", lab__slug="lab-1").latest("created_at").pk)


def _create(database: str) -> None:
    import os
    from urllib.parse import urlsplit

    import MySQLdb

    url = urlsplit(os.environ["CENTRO_LAB_DATABASE_URL"])
    connection = MySQLdb.connect(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password,
        charset="utf8mb4",
    )
    connection.cursor().execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
    connection.close()


def _people_and_pipelines() -> dict[str, Any]:
    from django.contrib.auth.models import User

    from accounts.models import Lab, Membership
    from tests.factories import make_account, make_system, make_version

    User.objects.create(username="admin", is_staff=True)
    users = [User.objects.create(username=f"user{n}") for n in range(1, PEOPLE + 1)]
    labs = [Lab.objects.create(slug=f"lab-{n}", name=f"Lab {n}") for n in range(1, LABS + 1)]
    for number, user in enumerate(users):
        role = "manager" if number < LABS else "submitter"
        Membership.objects.create(user=user, lab=labs[number % LABS], role=role)
    Membership.objects.create(user=users[0], lab=labs[1], role="submitter")
    systems = [make_system(f"system{n}") for n in range(1, SYSTEMS + 1)]
    accounts = [make_account(system) for system in systems]
    versions = [
        make_version(f"pipe{n // 2}", f"{n % 2 + 1}.0", system=systems[0])
        for n in range(2, PIPELINES + 2)
    ]
    return {
        "users": users,
        "labs": labs,
        "systems": systems,
        "accounts": accounts,
        "versions": versions,
    }


def _execute(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)


def _choice(rows: list[Any], number: str) -> str:
    return f"ELT(1 + ({number}) MOD {len(rows)}, {', '.join(str(row.pk) for row in rows)})"


def _runs(runs: int, places: dict[str, Any]) -> None:
    """Copies of one run with what differs put in; whatever columns the table has."""
    from pipeline_management.models import Run
    from tests.factories import make_run

    pattern = make_run(
        lab=places["labs"][0], submitter=places["users"][0], version=places["versions"][0],
        account=places["accounts"][0], key="pattern",
    )  # fmt: skip
    differs = {
        "id": ID, "key": "CONCAT('c', LPAD(n, 14, '0'))", "state": STATE, "job_id": "CAST(n AS CHAR)",
        "name": "CONCAT(ELT(1 + n MOD 4, 'Trio ', 'Panel ', 'Exome ', 'Genome '), 'GIAB_NA', n)",
        "lab_id": _choice(places["labs"], "n"), "submitter_id": _choice(places["users"], "n"),
        "system_id": _choice(places["systems"], "n DIV 7"), "account_id": _choice(places["accounts"], "n DIV 7"),
        "version_id": _choice(places["versions"], "n DIV 3"), "created_at": CREATED,
        "finished_at": f"IF(n < 200, NULL, {ENDED})", "started_at": CREATED, "next_at": "NULL",
        "idempotency_key": "NULL", "event_seq": "20",
        "source": "IF(n MOD 50 = 0, 'firecrest', IF(n MOD 3, 'api', 'page'))",
        "reason": f"IF({FAILED}, ELT(1 + n DIV 10 MOD 4, 'EXIT_NONZERO', 'TIMEOUT', 'OUT_OF_MEMORY', 'NO_RESULT'), '')",
        "cause": f"IF({FAILED}, ELT(1 + n DIV 10 MOD 4, IF(n MOD 3, 'EXIT_1', 'QUOTA'), 'TIMEOUT', 'OUT_OF_MEMORY',"
                 " 'NO_RESULT'), '')",
        "cause_text": f"IF({FAILED}, 'align: disk quota exceeded on /scratch', '')",
        "attention": "IF(n < 200 AND n MOD 40 = 0, 'STALE', '')",
    }  # fmt: skip
    columns = [field.column for field in Run._meta.concrete_fields]
    values = ", ".join(differs.get(column, f"t.`{column}`") for column in columns)
    names = ", ".join(f"`{column}`" for column in columns)
    for first in range(0, runs, CHUNK):
        _execute(
            f"INSERT INTO pipeline_management_run ({names}) SELECT {values} FROM "  # noqa: S608  numbers of our own
            f"(SELECT CAST(seq AS SIGNED) AS n FROM seq_{first}_to_{min(first + CHUNK, runs) - 1}) s, "
            f"(SELECT * FROM pipeline_management_run WHERE `key` = 'pattern') t"
        )
        say(f"{min(first + CHUNK, runs)} runs")
    pattern.delete()


def _others(runs: int, events: int) -> None:
    """Events, words, input files, labels, stars, notes and tasks."""
    each = max(1, events // runs)
    event = (
        "pipeline_management_runevent (run_id, seq, at, actor, type, from_state, to_state, evidence, data, sender)"
        f" SELECT {ID}, e.seq, TIMESTAMPADD(SECOND, e.seq, {CREATED}), 'job', 'progress', '', '', '', '{{{{}}}}', ''"
        f" FROM ({{n}}) s, seq_1_to_{each} e"
    )
    word = (
        f"pipeline_management_runword (run_id, created_at, source, word) SELECT {ID}, {CREATED}"
        ", '{source}', {word} FROM ({{n}}) s {where}"
    )
    words = [
        word.format(
            source="n", word="ELT(1 + n MOD 4, 'trio', 'panel', 'exome', 'genome')", where=""
        ),
        word.format(source="n", word="CONCAT('na', n)", where=""),
        word.format(source="i", word="CONCAT('na', n)", where=""),
        word.format(source="i", word="'giab'", where=""),
        word.format(source="i", word="'r1'", where=""),
        word.format(source="r", word="'quota'", where=f"WHERE {FAILED}"),
        word.format(source="r", word="'exit'", where=f"WHERE {FAILED}"),
    ]
    label = "pipeline_management_runlabel (run_id, name) SELECT {id}, {name} FROM ({{n}}) s WHERE {where}"
    statements = [
        event,
        *words,
        "pipeline_management_runinput (run_id, name, path) SELECT "
        f"{ID}, CONCAT('GIAB_NA', n, '_R', r.seq, '.fastq.gz'), CONCAT('/data/GIAB_NA', n, '_R', r.seq, '.fastq.gz') "
        "FROM ({n}) s, seq_1_to_2 r",
        label.format(id=ID, name="'cohort'", where="n MOD 5 = 1"),
        label.format(id=ID, name="'rare'", where="n MOD 20000 = 11"),
        f"pipeline_management_runstar (run_id, user_id) SELECT {ID}, u.id FROM ({{n}}) s, auth_user u"
        " WHERE u.username IN ('user1', 'admin') AND n < 100000 AND n MOD 100 = 0",
        "pipeline_management_runnote (run_id, author_id, text, created_at) SELECT "
        f"{ID}, u.id, 'looks odd', {NOW} FROM ({{n}}) s, auth_user u WHERE u.username = 'user1' AND n MOD 1000 = 0",
    ]
    for statement in statements:
        for first in range(0, runs, CHUNK):
            numbers = f"SELECT CAST(seq AS SIGNED) AS n FROM seq_{first}_to_{min(first + CHUNK, runs) - 1}"
            _execute(f"INSERT INTO {statement.format(n=numbers)}")
        say(statement.split(" ", 1)[0])


def _used(runs: int) -> None:
    """What the ended runs have used, and the same added up by day and month, as if it had been counted."""
    for first in range(0, runs, CHUNK):
        _execute(
            "INSERT INTO pipeline_management_runusage (run_id, wait_seconds, elapsed_seconds, cpus, gpus, nodes,"
            " memory_mb, walltime_seconds, cpu_seconds, max_memory_mb, core_seconds, gpu_seconds, jobs, source,"
            " collected_at, day, tries)"
            " SELECT r.id, 30 + n MOD 3600, 7200, 8, 0, 1, 16384, 14400, 50000 + n MOD 7000, 9000, 57600,"
            f" IF(n MOD 10, 0, 7200), 1, 'sacct', {NOW}, DATE(r.finished_at), 1 FROM pipeline_management_run r"
            f" JOIN (SELECT CAST(seq AS SIGNED) AS n FROM seq_{first}_to_{min(first + CHUNK, runs) - 1}) s"
            f" ON r.id = {ID}"
            " WHERE r.finished_at IS NOT NULL"
        )
    counters = (
        "core_seconds", "gpu_seconds", "wait_seconds", "elapsed_seconds",
    )  # fmt: skip
    sums = ", ".join(f"SUM(u.{name})" for name in counters)
    place = "lab_id, submitter_id, pipeline_id, system_id"
    columns = f"day, {place}, runs, succeeded, failed, cancelled, {', '.join(counters)}"
    _execute(
        f"INSERT INTO pipeline_management_usageday (`key`, {columns}, waited, measured) SELECT "  # noqa: S608  names of our own
        "CONCAT_WS('/', u.day, r.lab_id, r.submitter_id, v.pipeline_id, r.system_id), u.day, r.lab_id, r.submitter_id,"
        " v.pipeline_id, r.system_id, COUNT(*), SUM(r.state = 'succeeded'), SUM(r.state = 'failed'),"
        f" SUM(r.state = 'cancelled'), {sums}, COUNT(*), COUNT(*) FROM pipeline_management_runusage u"
        " JOIN pipeline_management_run r ON r.id = u.run_id"
        " JOIN pipeline_management_pipelineversion v ON v.id = r.version_id"
        " GROUP BY u.day, r.lab_id, r.submitter_id, v.pipeline_id, r.system_id"
    )
    added = ", ".join(
        f"SUM({name})" for name in ("runs", "succeeded", "failed", "cancelled", *counters)
    )
    month = "DATE_FORMAT(day, '%Y-%m-01')"
    _execute(
        f"INSERT INTO pipeline_management_usagemonth (`key`, {columns}, waited, measured) SELECT "  # noqa: S608  names of our own
        f"CONCAT_WS('/', {month}, {place}), {month}, {place}, {added}, SUM(waited), SUM(measured)"
        f" FROM pipeline_management_usageday GROUP BY {month}, {place}"
    )
    say("usage")
