"""Every column that may tell something of a person has a fate (people/personal_data/registry.py)."""

from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import models
from django.test.utils import isolate_apps

from people.models import User
from people.personal_data.fates import Table, without_fate
from people.personal_data.registry import REGISTRY

TABLES = {table.model: table for table in REGISTRY}


def each(table: Table):
    return pytest.param(table, id=table.model)


def test_every_column_of_every_table_has_a_fate():
    assert without_fate(REGISTRY, apps.get_models(include_auto_created=True)) == []


@pytest.mark.parametrize("table", [each(one) for one in REGISTRY])
def test_every_column_has_one_fate_only_and_exists(table):
    columns = {column.name for column in table.get_model()._meta.concrete_fields}
    assert set(table.columns) - columns == set()
    assert [name for name, times in Counter(table.columns).items() if times > 1] == []


def test_no_table_is_named_twice():
    assert len(TABLES) == len(REGISTRY)


@isolate_apps("people", "lms")
def test_a_new_table_and_a_new_column_are_found():
    class Note(models.Model):  # noqa: DJ008
        person = models.ForeignKey(User, models.CASCADE, related_name="+")
        text = models.TextField()

        class Meta:
            app_label = "people"

    class Completion(models.Model):  # noqa: DJ008
        user = models.ForeignKey(User, models.CASCADE, related_name="+")
        lesson = models.IntegerField()
        created_at = models.DateTimeField()
        mood = models.TextField()

        class Meta:
            app_label = "lms"

    found = without_fate(REGISTRY, [Note, Completion])
    assert found == ["people.Note.person", "people.Note.text", "lms.Completion.mood"]


def test_what_points_to_a_person_is_never_called_nothing():
    """A person is in the registry by whose row it is, or by who decided."""
    for model in apps.get_models(include_auto_created=True):
        people = {one.name for one in model._meta.concrete_fields if one.related_model is User}
        if people and not model._meta.proxy:
            table = TABLES[model._meta.label]
            assert people.isdisjoint(" ".join(table.nothing.values()).split()), model._meta.label


@pytest.mark.parametrize("table", [each(one) for one in REGISTRY if one.file])
def test_what_is_exported_has_a_way_to_its_person_and_something_to_tell(table):
    assert table.exported
    assert table.of or table.model in {"admin.LogEntry"}


def test_each_file_of_the_export_has_a_name_of_its_own():
    files = [table.file for table in REGISTRY if table.file]
    assert len(set(files)) == len(files)
    assert all(table.file for table in REGISTRY if table.exported)


def test_the_document_says_what_the_registry_says():
    written = Path(settings.BASE_DIR, "docs/personal-data.md").read_text()
    output = StringIO()
    call_command("personal_data", stdout=output)
    assert output.getvalue() == written, "uv run manage.py personal_data docs/personal-data.md"
