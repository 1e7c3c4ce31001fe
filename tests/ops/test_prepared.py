"""The database that tests run on is what the migrations make, also where it is a copy."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


@pytest.mark.django_db
def test_nothing_is_left_to_migrate() -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    tables = set(connection.introspection.table_names())
    assert {model._meta.db_table for model in apps.get_models() if model._meta.managed} <= tables


@pytest.mark.django_db
def test_every_model_has_its_content_type_and_permissions() -> None:
    known = set(ContentType.objects.values_list("app_label", "model"))
    models = [model._meta for model in apps.get_models() if model._meta.managed]
    assert {(meta.app_label, meta.model_name) for meta in models} <= known
    wanted = {
        (meta.app_label, f"{action}_{meta.model_name}")
        for meta in models
        for action in meta.default_permissions
    }
    assert wanted <= set(Permission.objects.values_list("content_type__app_label", "codename"))
