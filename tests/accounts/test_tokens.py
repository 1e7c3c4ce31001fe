"""Looking tokens up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import services
from accounts.models import ApiToken
from accounts.services import create_token, find_token, revoke_token
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_only_the_hash_is_kept() -> None:
    token, text = create_token(make_user(), "t")
    row = str(ApiToken.objects.filter(pk=token.pk).values().get())
    assert text not in row and text[8:] not in row
    assert text.startswith("cto_") and len(text) >= 47


def test_last_use_is_recorded_once_a_minute(django_assert_num_queries: object) -> None:
    _, text = create_token(make_user(), "t")
    with django_assert_num_queries(2):  # type: ignore[operator]  # a fixture without types
        assert find_token(text)
    with django_assert_num_queries(1):  # type: ignore[operator]  # a fixture without types
        found = find_token(text)
    assert found and found.last_used_at is not None
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    find_token(text)
    assert timezone.now() - ApiToken.objects.get().last_used_at < timedelta(seconds=5)


def test_expired_revoked_disabled_and_made_up_tokens_are_none() -> None:
    user = make_user()
    token, text = create_token(user, "t", timezone.now() + timedelta(hours=1))
    assert find_token(text)
    ApiToken.objects.update(expires_at=timezone.now())
    assert find_token(text) is None
    ApiToken.objects.update(expires_at=None)
    assert find_token(text)
    user.is_active = False
    user.save()
    assert find_token(text) is None
    user.is_active = True
    user.save()
    assert revoke_token(user=user, token_id=token.pk) == "t"
    assert find_token(text) is None
    for other in ("", "cto_", "cto_" + "x" * 500, "xyz", text.upper(), "cto_\ud800"):
        assert find_token(other) is None


def test_a_name_is_once_per_person_not_per_site() -> None:
    user = make_user()
    create_token(user, "t")
    create_token(make_user(), "t")
    with pytest.raises(ValidationError, match="already"):
        create_token(user, "t")


def test_the_number_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_TOKENS", 2)
    user = make_user()
    create_token(user, "a")
    create_token(user, "b")
    with pytest.raises(ValidationError, match="revoke one"):
        create_token(user, "c")
