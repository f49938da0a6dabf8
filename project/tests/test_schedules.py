import inspect
import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from croniter import croniter
from django.apps import apps
from django.apps.registry import Apps
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.conf import Conf
from django_q.models import Schedule as Row

from project.common.background.clock_changes import MINUTE, clock_changes
from project.common.background.outcomes import CONTINUED, WORDS
from project.common.background.queue import synchronise_schedules
from project.common.background.schedules import DOES, SCHEDULES, Schedule

PATH = "project.common.background.tasks.canary"
PARTS = ("mail", "admin_site", "common.background")


def test_names_are_unique_and_every_path_leads_to_a_function() -> None:
    names = [schedule.name for schedule in SCHEDULES]
    assert len(set(names)) == len(names)
    for schedule in SCHEDULES:
        assert callable(import_string(schedule.path)), schedule.path


def test_each_task_says_in_words_what_it_does_and_what_it_counted() -> None:
    """A dotted path or a code is nothing for staff."""
    paths, codes = set(), {*CONTINUED}
    for place in ("lms", "payments", "people", *(f"project.{name}" for name in PARTS)):
        tasks = import_module(f"{place}.tasks")
        functions = inspect.getmembers(tasks, inspect.isfunction)
        own = {name for name, one in functions if one.__module__ == tasks.__name__}
        paths |= {f"{tasks.__name__}.{name}" for name in own if not name.startswith("_")}
        codes |= set(re.findall(r'"(\w+)":', inspect.getsource(tasks)))
    assert paths == set(DOES)
    assert codes == set(WORDS)


def test_what_runs_when() -> None:
    """The canary within the limit of silence; what waits for a worker that died, each minute."""
    assert {schedule.name: schedule.minutes or schedule.cron for schedule in SCHEDULES} == {
        "canary": 1,
        "mail": 1,
        "course-updates": 1,
        "daily-mail": 5,
        "stripe-events": "5 4 * * *",
        "check-payments": "35 4 * * *",
        "payments": 10,
        "figures": 10,
        "pictures": 1440,
        "inactivity": settings.INACTIVITY_SWEEP_CRON,
        "expired-tokens": "15 4 * * *",
        "old-records": "50 4 * * *",
        "late-traces": "10 5 * * *",
        "old-books": "55 4 * * *",
        "old-exports": "20 4 * * *",
        "old-log-ins": "22 4 * * *",
        "old-keys": "25 4 * * *",
        "old-daily-mails": "40 4 * * *",
        "old-mails": "45 4 * * *",
    }


@pytest.mark.parametrize("timing", [{}, {"minutes": 1, "cron": "0 4 * * *"}])
def test_schedule_has_exactly_one_timing(timing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either"):
        Schedule("x", PATH, "x", **timing)


@pytest.mark.django_db
def test_migrate_writes_the_table() -> None:
    assert set(Row.objects.values_list("name", flat=True)) == {
        f"parta.{schedule.name}" for schedule in SCHEDULES
    }
    before = list(Row.objects.order_by("pk").values())
    call_command("migrate", verbosity=0)
    assert list(Row.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_stale_and_doubled_rows_go_and_those_of_others_stay() -> None:
    for name in ("parta.old", "parta.new", "parta.new", "by hand"):
        Row.objects.create(name=name, func=PATH, schedule_type=Row.MINUTES, minutes=5)
    synchronise_schedules([Schedule("new", PATH, "x", minutes=7)])
    rows = Row.objects.order_by("name").values_list("name", "minutes")
    assert list(rows) == [("by hand", 5), ("parta.new", 7)]


@pytest.mark.django_db
def test_cron_counts_in_the_time_zone_of_the_project(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Moscow"
    synchronise_schedules([Schedule("x", PATH, "x", cron="15 4 * * *")])
    row = Row.objects.get()
    assert (row.next_run.astimezone(UTC).hour, row.next_run.minute) == (1, 15)
    assert timezone.now() < row.next_run <= timezone.now() + timedelta(days=1)


@pytest.mark.django_db
def test_changed_cron_counts_from_now() -> None:
    synchronise_schedules([Schedule("x", PATH, "x", cron="15 4 1 1 *")])
    synchronise_schedules([Schedule("x", PATH, "x", cron="45 5 * * *")])
    row = Row.objects.get()
    assert row.next_run.minute == 45
    assert row.next_run <= timezone.now() + timedelta(days=1)


@pytest.mark.django_db
def test_run_that_is_due_stays_due() -> None:
    schedules = [Schedule("x", PATH, "x", cron="15 4 * * *"), Schedule("y", PATH, "x", minutes=1)]
    synchronise_schedules(schedules)
    due = datetime(2026, 1, 1, tzinfo=UTC)
    Row.objects.update(next_run=due)
    synchronise_schedules(schedules)
    assert set(Row.objects.values_list("next_run", flat=True)) == {due}


@pytest.mark.django_db
def test_nothing_happens_while_the_tables_are_away() -> None:
    before = set(Row.objects.values_list("name", flat=True))
    synchronise_schedules([], tables=Apps())
    assert set(Row.objects.values_list("name", flat=True)) == before
    synchronise_schedules([], tables=apps)
    assert not Row.objects.exists()


def test_the_cluster_and_the_project_live_in_the_same_time_zone() -> None:
    assert settings.TIME_ZONE == Conf.TIME_ZONE


def changes_in(zone: str) -> list[tuple[str, str]]:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    found = [*clock_changes(ZoneInfo(zone), since=since)][:2]
    return [(begin.isoformat(" ", "minutes"), f"{end:%H:%M}") for begin, end in found]


def test_it_is_known_which_local_times_come_twice_or_never() -> None:
    assert changes_in("Africa/Cairo") == [
        ("2027-04-30 00:00", "01:00"),
        ("2027-10-28 23:00", "00:00"),
    ]
    assert changes_in("America/Havana") == [
        ("2027-03-14 00:00", "01:00"),
        ("2027-11-07 00:00", "01:00"),
    ]
    assert changes_in("America/Santiago") == [
        ("2027-04-03 23:00", "00:00"),
        ("2027-09-05 00:00", "01:00"),
    ]
    assert changes_in("Asia/Beirut") == [
        ("2027-03-28 00:00", "01:00"),
        ("2027-10-30 23:00", "00:00"),
    ]
    assert changes_in("Europe/Berlin") == [
        ("2027-03-28 02:00", "03:00"),
        ("2027-10-31 02:00", "03:00"),
    ]
    assert changes_in("Australia/Lord_Howe") == [
        ("2027-04-04 01:30", "02:00"),
        ("2027-10-03 02:00", "02:30"),
    ]
    assert changes_in("America/Nuuk") == [
        ("2027-03-27 23:00", "00:00"),
        ("2027-10-30 23:00", "00:00"),
    ]
    assert changes_in("UTC") == changes_in("Europe/Moscow") == []


def test_none_of_ours_runs_when_clocks_are_changed_anywhere() -> None:
    """But for the sweep, whose time is a setting."""
    crons = {one.cron for one in SCHEDULES if one.cron}
    zones = {ZoneInfo(name) for name in available_timezones()}
    changes = {change for zone in zones for change in clock_changes(zone, since=timezone.now())}
    assert {
        (cron, begin)
        for cron in crons
        for begin, end in changes
        if croniter(cron, begin - MINUTE).get_next(datetime) < end
    } == set()
