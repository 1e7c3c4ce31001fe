"""Telling people that runs ended: by mail, by webhooks, by a daily digest."""
