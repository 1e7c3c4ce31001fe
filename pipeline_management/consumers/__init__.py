"""Websockets: what happens to runs, told to whoever watches, as it happens."""
