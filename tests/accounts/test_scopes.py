"""Memberships are read once for one answer, and anew for the next."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Membership
from accounts.policy import scope_of, scopes_remembered
from tests import factories

pytestmark = pytest.mark.django_db


def test_one_answer_asks_once_for_each_person(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    lab = factories.make_lab("lab-a", ann="manager", bob="submitter")
    ann, bob = (member.user for member in Membership.objects.order_by("user__username"))
    with scopes_remembered(), django_assert_num_queries(2):
        for _ in range(3):
            assert scope_of(ann).manages == {lab.pk}
            assert scope_of(bob).manages == frozenset()
            assert scope_of(bob).submits == {lab.pk}


def test_the_next_answer_knows_what_was_taken_away() -> None:
    lab = factories.make_lab("lab-a", ann="manager")
    membership = Membership.objects.get()
    ann = membership.user
    with scopes_remembered():
        assert scope_of(ann).manages == {lab.pk}
        membership.delete()
        assert scope_of(ann).manages == {lab.pk}
        ann.is_staff = True
        assert scope_of(ann).everything, "of the same person as something else"
    assert scope_of(ann).labs == frozenset()


def test_a_failure_does_not_leave_it_remembered() -> None:
    lab = factories.make_lab("lab-a", ann="viewer")
    membership = Membership.objects.get()
    with pytest.raises(ZeroDivisionError), scopes_remembered():
        assert scope_of(membership.user).labs == {lab.pk}
        raise ZeroDivisionError
    membership.delete()
    assert scope_of(membership.user).labs == frozenset()
