"""Centro's own settings with one address more: what the empty view costs on the very same server."""

from centro.settings import *  # noqa: F403  everything, as it is in production

ROOT_URLCONF = "bench.web_urls"
