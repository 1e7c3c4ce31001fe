"""Every address of the site, read from the URL configuration itself.

Those of the FirecREST API have a table of their own, in tests/firecrest/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver


@dataclass(frozen=True)
class Address:
    """One pattern: its full name ("accounts:login", or the pattern where it has none) and its parameters."""

    name: str
    parameters: tuple[str, ...]


def addresses() -> list[Address]:
    """All patterns but FirecREST's, in the order in which they are tried."""
    found = _walk(get_resolver().url_patterns, "", ())
    return [address for address in found if not address.name.startswith("firecrest-")]


def _walk(
    patterns: list[URLPattern | URLResolver], prefix: str, above: tuple[str, ...]
) -> Iterator[Address]:
    for pattern in patterns:
        parameters = above + tuple(pattern.pattern.converters or _groups(pattern))
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _walk(pattern.url_patterns, inner, parameters)
        else:
            yield Address(prefix + (pattern.name or f"({pattern.pattern})"), parameters)


def _groups(pattern: URLPattern | URLResolver) -> tuple[str, ...]:
    regex = getattr(pattern.pattern, "regex", None)
    return tuple(regex.groupindex) if regex else ()
