"""FirecREST v1 at /firecrest/v1/: addresses, headers, envelopes and task codes, and nothing else.

The work is done by the services that Centro's own pages and API call. The wire format is that of the
v1 server 1.16.6, so that its clients work unchanged.
"""
