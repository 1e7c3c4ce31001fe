"""The views of /firecrest/v1/: they read fields, call services and write answers; nothing else.

Each module has its ``urlpatterns``; ``api.firecrest.urls`` puts them together.
"""
