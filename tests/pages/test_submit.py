"""The submission page, as a browser without scripts uses it and as its scripts do."""

from __future__ import annotations

import html
import json
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from pipeline_management.models import Run, RunEvent
from tests.factories import make_lab, make_run, make_version
from tests.pages.site import Site

GOOD = '{"pipeline": "hello", "name": "world"}'
HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}


def send(client: Client, text: str = GOOD, *, headers: Any = None, **fields: Any) -> Any:
    values = {"configuration": text, "action": "submit", "token": str(uuid.uuid4())}
    return client.post("/submit/", values | fields, headers=headers)


def text_in(response: Any) -> str:
    """What stands in the text field of the page."""
    found = re.search(r"<textarea.*?>\n?(.*?)</textarea>", response.content.decode(), re.S)
    assert found is not None
    return html.unescape(found[1])


def problems_in(response: Any) -> list[str]:
    found = re.findall(r'<div class="message">(.*?)</div>', response.content.decode(), re.S)
    return [html.unescape(message) for message in found]


@pytest.fixture
def client(site: Site) -> Client:
    return site.client("submitter")


@pytest.mark.parametrize("address", ["/submit/", "/custom/"])
def test_the_page_offers_the_visible_versions(site: Site, client: Client, address: str) -> None:
    make_version("notours", all_labs=False).labs.add(site.other_lab)
    make_version("hello", "2.0-dev", system=site.account.system, is_development=True)
    page = client.get(address).content.decode()
    for value in ('value=""', 'value="hello@latest"', 'value="hello@1.0"', 'value="hello@2.0-dev"'):
        assert value in page
    assert "notours" not in page
    assert "curl --netrc --header" in page


def test_a_run_is_made_and_its_page_shown(site: Site, client: Client) -> None:
    answer = send(client)
    run = Run.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/runs/{run.pk}/"
    assert (run.submitter, run.lab, run.version, run.source, run.state) == (
        site.people["submitter"], site.lab, site.version, "page", "queued",
    )  # fmt: skip
    assert RunEvent.objects.get(run=run).to_state == "queued"


def test_the_drop_down_names_the_pipeline_where_the_json_does_not(site: Site, client: Client) -> None:
    assert send(client, '{"name": "x"}', pipeline="hello@1.0").status_code == 302
    assert Run.objects.get().version == site.version
    assert send(client, '{"name": "x"}').status_code == 400


def test_drop_down_and_json_must_agree(site: Site, client: Client) -> None:
    make_version("other", system=site.account.system)
    for agreeing in ("hello@1.0", "hello@latest"):
        assert send(client, GOOD, pipeline=agreeing).status_code == 302
    answer = send(client, GOOD, pipeline="other@1.0")
    assert answer.status_code == 400
    assert problems_in(answer)[0].startswith('The list says other@1.0, the JSON says "hello"')
    assert "line 1, column 14" in answer.content.decode()
    assert Run.objects.count() == 2


def test_the_same_form_sent_twice_gives_one_run(client: Client) -> None:
    token = str(uuid.uuid4())
    first, second = send(client, token=token), send(client, token=token)
    assert first["Location"] == second["Location"]
    assert Run.objects.count() == 1
    changed = send(client, '{"pipeline": "hello", "name": "other"}', token=token)
    assert changed.status_code == 302
    assert changed["Location"] != first["Location"]
    assert Run.objects.count() == 2


def test_two_people_with_the_same_token_have_their_own_runs(site: Site) -> None:
    token = str(uuid.uuid4())
    for name in ("submitter", "manager"):
        assert send(site.client(name), token=token).status_code == 302
    assert Run.objects.count() == 2


@pytest.mark.parametrize("token", ["", "not-a-uuid", "' OR 1=1", "x" * 5000])
def test_a_broken_token_still_gives_a_run(client: Client, token: str) -> None:
    assert send(client, token=token).status_code == 302


BROKEN = [
    ("", "empty", None),
    ("  \n ", "empty", None),
    ('{"a": 1,}', "trailing_comma", (1, 8)),
    ('{\n  "pipeline": "hello",\n  "name" "x"\n}', "missing_colon", (3, 10)),
    ('{"a": 1, "a": 2}', "duplicate_key", (1, 10)),
    ('{"a": NaN}', "nan", (1, 7)),
    ("[1]", "not_object", (1, 1)),
    ('"text"', "not_object", (1, 1)),
    ("[" * 100_000, "too_deep", (1, 101)),
    ('{"pipeline": "nope", "name": "x"}', "pipeline", (1, 14)),
    ('{"pipeline": "hello"}', "required", (1, 1)),
    ('{"pipeline": "hello", "name": 7}', "type", (1, 31)),
    ('{"pipeline": "hello", "name": "x", "times": 10}', "maximum", (1, 45)),
    ('{"pipeline": "hello", "name": "x", "tims": 1}', "additionalProperties", (1, 44)),
    ('{"pipeline": "hello", "name": "x", "lab": "imaging"}', None, (1, 43)),
]


@pytest.mark.parametrize(("text", "code", "place"), BROKEN)
def test_what_is_wrong_is_listed_and_the_text_kept(
    client: Client, text: str, code: str | None, place: tuple[int, int] | None
) -> None:
    answer = send(client, text)
    assert answer.status_code == 400
    assert text_in(answer) == text
    body = answer.content.decode()
    assert problems_in(answer)
    if code is not None:
        assert f'data-code="{code}"' in body, re.findall(r'data-code="(.*?)"', body)
    if place is not None:
        assert f'data-line="{place[0]}" data-column="{place[1]}"' in body, re.findall(r"data-line.*?>", body)
    assert Run.objects.count() == 0
    assert 'name="token" value="' in body


def test_all_problems_are_listed_at_once_with_the_line_they_are_in(client: Client) -> None:
    answer = send(client, '{\n "pipeline": "hello",\n "name": "",\n "times": 0,\n "extra": 1\n}')
    assert len(problems_in(answer)) == 3
    body = answer.content.decode()
    assert "3 problems; nothing was submitted." in body
    assert "/times" in body
    assert '<pre class="small mb-0 mt-1 scroll-x" tabindex="0"> &quot;times&quot;: 0,\n          ^</pre>' in body


def test_the_choice_of_pipeline_is_kept_too(client: Client) -> None:
    answer = send(client, "{", pipeline="hello@1.0")
    assert '<option value="hello@1.0" selected>' in answer.content.decode()


def test_an_unknown_choice_is_a_problem_of_its_own(client: Client) -> None:
    answer = send(client, '{"name": "x"}', pipeline="notours@9")
    assert problems_in(answer) == ["Choose one of the pipelines in the list."]


def test_an_unknown_action_is_refused(client: Client) -> None:
    answer = send(client, action="delete")
    assert answer.status_code == 400
    assert "Expected one of submit, check, system, plan, format, example" in problems_in(answer)[0]
    assert Run.objects.count() == 0


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_takes_the_place_of_the_text(client: Client) -> None:
    upload = SimpleUploadedFile("c.json", b'\xef\xbb\xbf{"pipeline": "hello", "name": "from a file"}')
    assert send(client, "{", file=upload).status_code == 302
    assert Run.objects.get().configuration["name"] == "from a file"


def test_the_text_of_a_file_with_a_mistake_is_shown(client: Client) -> None:
    answer = send(client, "", file=SimpleUploadedFile("c.json", b'{"name": }'))
    assert answer.status_code == 400
    assert text_in(answer) == '{"name": }'


def test_a_file_that_is_not_utf_8_is_told_so(client: Client) -> None:
    answer = send(client, "", file=SimpleUploadedFile("c.json", '{"name": "Müller"}'.encode("latin-1")))
    assert answer.status_code == 400
    assert 'data-code="encoding"' in answer.content.decode()


def test_a_file_over_ten_megabytes_is_refused(client: Client) -> None:
    upload = SimpleUploadedFile("c.json", b'{"a": "' + b"x" * 10_000_000 + b'"}')
    answer = send(client, "", file=upload)
    assert answer.status_code == 413
    assert 'data-code="too_large"' in answer.content.decode()
    assert Run.objects.count() == 0


def test_a_text_beyond_what_the_server_reads_has_a_friendly_page(client: Client) -> None:
    answer = send(client, "x" * 12_000_000)
    assert answer.status_code in {400, 413}
    assert "10 MB" in answer.content.decode()


# --- check, format, example -------------------------------------------------------------------------------------


def test_checking_shows_what_would_be_submitted_and_makes_nothing(site: Site, client: Client) -> None:
    answer = send(client, action="check", headers=HTMX)
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in body
    for text in ("hello@1.0", "genomics", "cluster", "echo hello world", "--data-binary @-"):
        assert text in body
    assert Run.objects.count() == 0
    assert "echo hello world" in send(client, action="check").content.decode()  # and without scripts


def test_checking_lists_problems_in_the_fragment(client: Client) -> None:
    answer = send(client, '{"pipeline": "hello"}', action="check", headers=HTMX)
    assert answer.status_code == 200
    assert len(problems_in(answer)) == 1
    assert "<html" not in answer.content.decode()


def test_the_curl_of_a_check_survives_the_shell(site: Site, client: Client) -> None:
    name = "it's $HOME `id` \\ \"quoted\""
    answer = send(client, json.dumps({"pipeline": "hello", "name": name}), action="check", headers=HTMX)
    found = re.search(r'id="checked-curl">(.*?)</pre>', answer.content.decode(), re.S)
    assert found is not None
    command = html.unescape(found[1])
    _head, text, end = re.split(r"<<'JSON'\n|\nJSON$", command)
    assert json.loads(text) == {"pipeline": "hello", "name": name}
    assert end == ""


def test_formatting_indents_and_loses_nothing(client: Client) -> None:
    big = "123456789012345678901234567890"
    text = f'{{"pipeline":"hello","n":{big},"x":1.0,"ü":"é"}}'
    formatted = send(client, text, action="format", headers=JSON).json()["text"]
    assert formatted == f'{{\n  "pipeline": "hello",\n  "n": {big},\n  "x": 1.0,\n  "ü": "é"\n}}\n'
    assert text_in(send(client, text, action="format")) == formatted


def test_formatting_what_is_not_json_says_where(client: Client) -> None:
    answer = send(client, '{"a": 1,}', action="format", headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "trailing_comma"


def test_the_example_of_the_chosen_pipeline_is_loaded(site: Site, client: Client) -> None:
    answer = send(client, "", action="example", pipeline="hello@latest", headers=JSON)
    assert json.loads(answer.json()["text"]) == site.version.example
    without_scripts = send(client, "", action="example", pipeline="hello@1.0")
    assert json.loads(text_in(without_scripts)) == site.version.example


def test_an_example_needs_a_choice(client: Client) -> None:
    answer = send(client, "", action="example", headers=JSON)
    assert answer.status_code == 400
    assert "Choose the pipeline" in answer.json()["errors"][0]["message"]


def test_a_pipeline_s_page_leads_to_its_example(client: Client) -> None:
    page = client.get("/submit/?pipeline=hello@1.0")
    assert json.loads(text_in(page)) == {"pipeline": "hello", "name": "world"}
    assert text_in(client.get("/submit/?pipeline=nope")) == ""


# --- again ------------------------------------------------------------------------------------------------------


def test_a_run_can_be_submitted_again(site: Site, client: Client) -> None:
    run = site.run(configuration={"name": "no pipeline named"})
    page = client.get(f"/submit/?run={run.pk}")
    assert json.loads(text_in(page)) == {"name": "no pipeline named"}
    assert '<option value="hello@1.0" selected>' in page.content.decode()


@pytest.mark.parametrize("which", ["foreign", "unknown", "nonsense"])
def test_a_run_that_is_not_there_is_not_submitted_again(site: Site, client: Client, which: str) -> None:
    foreign = make_run(lab=site.other_lab)
    key = {"foreign": foreign.pk, "unknown": uuid.uuid4(), "nonsense": "x"}[which]
    assert client.get(f"/submit/?run={key}").status_code == 404


# --- who --------------------------------------------------------------------------------------------------------


def test_a_viewer_is_told_and_cannot(site: Site) -> None:
    viewer = site.client("viewer")
    page = viewer.get("/submit/")
    assert page.status_code == 200
    assert "you are a submitter in no lab" in page.content.decode()
    answer = send(viewer, GOOD)
    assert answer.status_code == 403
    assert text_in(answer) == GOOD
    assert Run.objects.count() == 0


def test_a_submitter_of_several_labs_names_one(site: Site, client: Client) -> None:
    make_lab("second", submitter=Role.SUBMITTER)
    answer = send(client)
    assert answer.status_code == 400
    assert "second" in problems_in(answer)[0]
    assert send(client, '{"pipeline": "hello", "name": "x", "lab": "second"}').status_code == 302


def test_sending_needs_the_form_s_token(site: Site) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(site.people["submitter"])
    assert send(strict).status_code == 403
    assert Run.objects.count() == 0


def test_every_page_logs_curl_in_the_same_way(site: Site, client: Client) -> None:
    addresses = ("/submit/", "/pipelines/hello/", "/api/v1/docs/", "/runs/")
    calls = [
        call
        for page in (client.get(address).content.decode() for address in addresses)
        for call in re.findall(r"^.*?\bcurl (--\S+)", page, re.M)
    ]
    assert len(calls) > len(addresses)
    assert set(calls) == {"--netrc", "--header"}  # the header is the token's, which has its own place
