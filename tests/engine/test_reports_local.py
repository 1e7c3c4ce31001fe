"""Jobs that report through their file, on plain processes of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings

from pipeline_management.choices import EventRoute, RunState
from pipeline_management.models import Run, RunEvent, SystemAccount
from pipeline_management.services import finishing, polling, submission
from pipeline_management.services.reports import tokens
from tests.engine.steps import follow, new_run
from tests.factories import make_account, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(tmp_path: Path, settings: LazySettings) -> SystemAccount:
    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    options = {"spool": str(tmp_path / "spool"), "slots": "2"}
    return make_account(make_system(scheduler_options=options, events=EventRoute.FILE))


def reported(run: Run) -> list[RunEvent]:
    return list(run.events.exclude(sender="").order_by("seq"))


def test_a_job_reports_through_its_file(account: SystemAccount, tmp_path: Path) -> None:
    script = (
        "centro-event progress 40 'aligned \"well\"'\n"
        "centro-event task align running --job 12\n"
        "centro-event task align complete --exit 0 --resource cpus=4\n"
        "centro-event task call failed --exit 3\n"
        "centro-event completed\n"
    )
    run = follow(new_run(account, tmp_path, script))
    assert run.state == RunState.SUCCEEDED
    assert (run.progress, run.progress_text) == (40, 'aligned "well"')
    assert (run.tasks_total, run.tasks_done, run.tasks_failed) == (2, 1, 1)
    align = run.tasks.get(name="align")
    assert (align.state, align.job_id, align.exit_code) == ("complete", "12", 0)
    assert align.resources == {"cpus": "4"}
    assert align.started_at is not None and align.ended_at is not None
    events = reported(run)
    assert [event.sender_seq for event in events] == [1, 2, 3, 4, 5]
    assert [event.type for event in events] == ["progress", "task", "task", "task", "completed"]
    assert max(event.seq for event in events) < run.event_seq, "the end is the last event"
    assert run.events_offset == (Path(run.directory) / "events.ndjson").stat().st_size
    stderr = (Path(run.directory) / "stderr").read_text()
    assert stderr == "", "no try to reach anybody by HTTP"


def test_what_is_appended_is_seen_while_the_job_runs(
    account: SystemAccount, tmp_path: Path
) -> None:
    script = "centro-event progress 10\nwhile [ ! -e ../go ]; do sleep 0.1; done\ncentro-event progress 90\n"
    run = follow(new_run(account, tmp_path, script), RunState.RUNNING)
    while run.progress is None:
        polling.poll_account(account.pk)
        run.refresh_from_db()
    assert (run.state, run.progress) == (RunState.RUNNING, 10)
    (tmp_path / "work with a blank" / "go").touch()
    assert follow(run).progress == 90


def test_a_cut_line_waits_for_its_end(account: SystemAccount, tmp_path: Path) -> None:
    script = (
        'line=\'{"sender":"own","seq":1,"type":"message","at":1,"data":{"text":"late"}}\'\n'
        'printf "%.20s" "$line" >> "$CENTRO_RUN_DIR/events.ndjson"\n'
        "while [ ! -e ../go ]; do sleep 0.1; done\n"
        'printf "%s\\nno json\\n" "${line#????????????????????}" >> "$CENTRO_RUN_DIR/events.ndjson"\n'
    )
    run = follow(new_run(account, tmp_path, script), RunState.RUNNING)
    for _ in range(3):
        polling.poll_account(account.pk)
    run.refresh_from_db()
    assert (run.events_offset, reported(run)) == (0, [])
    (tmp_path / "work with a blank" / "go").touch()
    follow(run)
    assert [event.data for event in reported(run)] == [{"text": "late"}]
    refused = run.events.get(type="report_refused")
    assert "Invalid JSON" in refused.data["text"]


def test_a_file_that_was_cut_short_is_read_from_its_start(
    account: SystemAccount, tmp_path: Path
) -> None:
    script = (
        "for n in 1 2 3 4; do centro-event message $n; done\n"
        "while [ ! -e ../go ]; do sleep 0.1; done\n"
        'rm "$CENTRO_RUN_DIR/events.ndjson"\n'
        "centro-event message 5\n"
        "while [ ! -e ../on ]; do sleep 0.1; done\n"
    )
    run = follow(new_run(account, tmp_path, script), RunState.RUNNING)
    folder = tmp_path / "work with a blank"
    while len(reported(run)) < 4:
        polling.poll_account(account.pk)
    (folder / "go").touch()
    while len(reported(run)) < 5:
        polling.poll_account(account.pk)
    (folder / "on").touch()
    follow(run)
    assert [event.data["text"] for event in reported(run)] == ["1", "2", "3", "4", "5"]


def test_the_last_events_are_read_before_the_run_ends(
    account: SystemAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much more than one look takes, and a last line without its end."""
    script = (
        "i=0; while [ $i -lt 4000 ]; do i=$((i + 1));\n"
        'printf \'{"sender":"own","seq":%s,"type":"message","at":1,"data":{"text":"%0200d"}}\\n\' $i $i\n'
        'done > "$CENTRO_RUN_DIR/events.ndjson"\n'
        'printf \'{"sender":"own","seq":4001,"type":"progress","at":1,"data":{"percent":7}}\''
        ' >> "$CENTRO_RUN_DIR/events.ndjson"\n'
    )
    monkeypatch.setattr("pipeline_management.services.reports.following.PART", 100_000)
    run = follow(new_run(account, tmp_path, script))
    assert [event.sender_seq for event in reported(run)] == list(range(1, 4002))
    assert run.progress == 7


def test_the_token_lies_in_the_runs_directory_only(account: SystemAccount, tmp_path: Path) -> None:
    made = new_run(account, tmp_path, "env > ../env\n", resources={"walltime": "00:01:00"})
    Run.objects.filter(pk=made.pk).update(token_sha256=tokens.digest_of_new(made.pk))
    run = follow(made)
    token_file = Path(run.directory) / ".token"
    token = token_file.read_text().strip()
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert tokens.find_run(token) == run
    environment = (tmp_path / "work with a blank" / "env").read_text()
    assert token not in environment
    assert f"CENTRO_TOKEN_FILE={token_file}\n" in environment
    assert "CENTRO_EVENTS_URL=\n" in environment
    assert f"CENTRO_WORK_DIR={run.directory}\n" in environment


def test_a_submission_that_is_done_again_stages_the_same_token(
    account: SystemAccount, tmp_path: Path, settings: LazySettings
) -> None:
    made = new_run(account, tmp_path, "true\n")
    Run.objects.filter(pk=made.pk).update(token_sha256=tokens.digest_of_new(made.pk))
    made.refresh_from_db()
    first = tokens.token_for(made)
    assert first is not None and tokens.token_for(made) == first
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret that is as long as such a secret has to be"
    assert tokens.token_for(made) == first, "the old secret still serves"
    settings.SECRET_KEY_FALLBACKS = []
    assert tokens.token_for(made) is None, "no token rather than one that is refused"
    submission.submit_due(account.pk)
    assert not (Path(made.directory) / ".token").exists()
    follow(made)


def test_a_system_that_cannot_give_the_events_does_not_end_the_run_without_them(
    account: SystemAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpc.errors import ConnectionLost

    run = new_run(account, tmp_path, "centro-event message hello\n")
    with monkeypatch.context() as patch:

        def lost(*_: object) -> None:
            raise ConnectionLost("gone")

        patch.setattr(finishing, "pieces", lost)
        follow(run, RunState.FINISHING)
        finishing.finish_due(account.pk)
        run.refresh_from_db()
        assert run.state == RunState.FINISHING
    Run.objects.filter(pk=run.pk).update(next_at=run.created_at)
    follow(run)
    assert [event.data["text"] for event in reported(run)] == ["hello"]
