"""The search language: what is read, and what is said of what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_management.search import Query, SearchError, Term, parse
from pipeline_management.search.keys import KEYS, first_moment, last_moment

LINE = (
    "rnaseq user:jdoe state:failed state:lost pipeline:phoenix after:2026-01-01 -label:x "
    'sample:NA12878 is:starred cause:OUT_OF_MEMORY "quoted text"'
)


def test_every_kind_of_term_is_read() -> None:
    assert parse(LINE).terms == (
        Term("", "rnaseq"),
        Term("user", "jdoe"),
        Term("state", "failed"),
        Term("state", "lost"),
        Term("pipeline", "phoenix"),
        Term("after", "2026-01-01"),
        Term("label", "x", negated=True),
        Term("input", "NA12878"),
        Term("is", "starred"),
        Term("cause", "OUT_OF_MEMORY"),
        Term("", "quoted text"),
    )
    assert parse(LINE).wanted["state"] == ["failed", "lost"]
    assert parse(LINE).words == ["rnaseq", "quoted text"]
    assert parse(LINE).unwanted == [Term("label", "x", negated=True)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat:failed", "Did you mean state:"),
        ("nonsense:1", "There is no key nonsense:; expected one of state"),
        ("state:broken", "state: cannot be broken; expected queued"),
        ("is:mien", "expected mine, starred"),
        ("after:yesterdya", "after: cannot be yesterdya; expected a day"),
        ("after:2026-13-01", "expected a day"),
        ("after:²7d", "expected a day"),
        ("user:", "user: has no value; expected a user name"),
        ('user:""', "has no value"),
        ('"open', "The quotation mark before open has no partner"),
        ("id:123", "expected a whole run id"),
        ("a\x00b", "control character"),
        ("x" * 501, "501 characters"),
        ("a " * 31, "more than 30 terms"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(SearchError) as error:
        parse(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("user:me stat:failed", 8),
        ("  -state:broken rnaseq", 2),
        ('rnaseq "open', 7),
        ("ab\x00", 2),
        ("x" * 501, 500),
        ("a " * 31, 60),
    ],
)
def test_the_place_of_what_cannot_be_read_is_told(text: str, at: int) -> None:
    with pytest.raises(SearchError) as error:
        parse(text)
    assert error.value.at == at


def test_nothing_is_nothing() -> None:
    assert not parse("  \t ")
    assert parse("-").terms == (Term("", "-"),)
    assert parse('"chr1:100"').terms == (Term("", "chr1:100"),)


TERMS = st.builds(
    Term,
    st.sampled_from(["", "user", "label", "input", "pipeline"]),
    st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp")), min_size=1, max_size=20)
    .filter(str.isprintable).filter(lambda text: bool(text.strip())),
    st.booleans(),
)  # fmt: skip


@given(st.lists(TERMS, max_size=6))
def test_a_search_written_out_is_read_as_the_same(terms: list[Term]) -> None:
    query = Query(tuple(terms))
    if len(str(query)) <= 500:
        assert parse(str(query)) == query


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except SearchError as error:
        assert str(error)
    else:
        assert all(term.value for term in query.terms if term.key)
        assert all(term.key in KEYS or term.key == "" for term in query.terms)


def test_days_and_months_end_where_the_next_ones_begin() -> None:
    assert last_moment("2026-01-31") == first_moment("2026-02-01")
    assert last_moment("2026-12") == first_moment("2027-01")
    assert last_moment("2028-02") == first_moment("2028-03-01")
    assert first_moment("9999-12-31") is not None
    assert last_moment("9999-12-31") is not None
    assert last_moment("0001-01-01") is not None
