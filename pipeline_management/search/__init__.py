"""The search of runs: its language, what the keys mean, and what is suggested while one types."""

from pipeline_management.search.language import Query, SearchError, Term, parse
from pipeline_management.search.meaning import apply

__all__ = ["Query", "SearchError", "Term", "apply", "parse"]
