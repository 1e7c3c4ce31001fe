"""What people did to their own access, for whoever keeps the audit trail (a layer above this one)."""

from django.dispatch import Signal

acted = Signal()
"""Sent with ``sender=User`` and ``user``, ``action`` (a word like "token.create"), ``target``, ``address``."""
