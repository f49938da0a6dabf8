"""The inactivity sweep: who is warned, who is blocked, and who is left alone."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from people.errors import AccountErased
from people.models import BlockReason, User
from people.one_time_links import password_reset_link
from people.services import accounts, blocks, inactivity, staff
from people.services.inactivity import sweep
from people.tasks import sweep_inactive
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_access_token, issue_pair
from project.mail.models import Delivery, Mailing
from project.mail.tasks import deliver_mail
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def person_seen(days, **fields):
    seen = timezone.now() - timedelta(days=days)
    return UserFactory.create(last_login=seen, date_joined=seen - 100 * DAY, **fields)


def test_who_was_away_for_more_than_the_period_is_blocked(clock):
    gone, there = person_seen(30.001), person_seen(1)
    before = User.objects.values().get(pk=there.pk)
    sweep_inactive()
    gone.refresh_from_db()
    assert (gone.is_active, gone.blocked_reason) == (False, BlockReason.INACTIVITY)
    assert (gone.blocked_at, gone.token_version) == (timezone.now(), 1)
    assert User.objects.values().get(pk=there.pk) == before


MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("period", "ahead"), [(30 * DAY, 7 * DAY), (14 * DAY, 7 * DAY), (4 * DAY, 2 * DAY)]
)
@pytest.mark.parametrize(
    ("side", "past", "outcome"),
    [
        ("block", MOMENT, "blocked"),
        ("block", 0 * DAY, "warned"),
        ("warning", MOMENT, "warned"),
        ("warning", 0 * DAY, "left alone"),
    ],
)
def test_block_and_warning_begin_right_after_their_time(
    clock, settings, period, ahead, side, past, outcome
):
    settings.INACTIVITY_PERIOD = period
    limit = period if side == "block" else period - ahead
    person = UserFactory.create(last_login=timezone.now() - limit - past)
    result = sweep()
    assert (result.blocked, result.warned) == (outcome == "blocked", outcome == "warned")
    person.refresh_from_db()
    assert person.is_active is (outcome != "blocked")
    assert person.warned_at == (timezone.now() if outcome == "warned" else None)


@pytest.mark.parametrize(("warned", "count"), [(None, 1), (-MOMENT, 1), (0 * DAY, 0), (MOMENT, 0)])
def test_a_warning_counts_from_the_last_sign_of_life_on(clock, warned, count):
    person = person_seen(25)
    if warned is not None:
        User.objects.filter(pk=person.pk).update(warned_at=person.last_login + warned)
    assert sweep().warned == count
    assert Delivery.objects.count() == count


def test_warnings_of_one_local_day_are_one_mailing(clock, settings):
    settings.TIME_ZONE = "Europe/Moscow"
    clock.move_to(datetime(2026, 5, 1, 20, 59, tzinfo=UTC))
    for hours in (0, 0.5, 23.99, 24):  # 23:59 there, and two times of the next day
        at = timezone.now() + timedelta(hours=hours)
        UserFactory.create(last_login=at - 25 * DAY)
        assert sweep(at=at).warned == 1
    keys = Mailing.objects.order_by("pk").values_list("key", flat=True)
    assert list(keys) == [f"inactivity_warning:2026-05-0{day}" for day in (1, 2)]
    counts = [mailing.deliveries.count() for mailing in Mailing.objects.order_by("pk")]
    assert counts == [1, 3]


def test_a_sweep_of_another_moment_blocks_by_that_moment(clock):
    person_seen(29)
    at = timezone.now() + 2 * DAY
    assert (sweep().blocked, sweep(at=at).blocked) == (0, 1)
    assert User.objects.get().blocked_at == at


def test_mails_are_sent_if_somebody_was_warned(clock, django_capture_on_commit_callbacks):
    for days, queued in ((40, []), (25, ["project.mail.tasks.deliver_mail"])):
        person_seen(days)
        with django_capture_on_commit_callbacks(execute=True):
            sweep_inactive()
        assert [task.task["func"] for task in OrmQ.objects.all()] == queued


def test_who_is_blocked_within_a_week_is_counted_up_to_a_bound(clock, monkeypatch):
    for days in (22, 24, 29):
        person_seen(days)
    assert User.objects.soon_blocked_count() == 2
    monkeypatch.setattr("people.models.querysets.FEW", 1)
    assert User.objects.soon_blocked_count() == 1


def test_a_warning_that_can_not_be_sent_was_not_given(clock, failing_at):
    person = person_seen(25)
    with pytest.raises(OperationalError), failing_at(f'INSERT INTO "{Delivery._meta.db_table}"'):
        sweep()
    person.refresh_from_db()
    assert person.warned_at is None
    assert sweep().warned == 1


def test_who_never_logged_in_is_judged_by_the_day_they_joined(clock):
    old = UserFactory.create(last_login=None, date_joined=timezone.now() - 31 * DAY)
    new = UserFactory.create(last_login=None, date_joined=timezone.now() - 29 * DAY)
    sweep()
    assert set(User.objects.active()) == {new}
    assert old not in User.objects.active()


def test_superusers_are_left_alone(clock):
    UserFactory.create(is_superuser=True, last_login=timezone.now() - 400 * DAY)
    assert (sweep().blocked, sweep().warned) == (0, 0)


def test_who_is_blocked_already_keeps_the_reason(clock):
    person = person_seen(40)
    person.block(BlockReason.STAFF)
    person.save()
    sweep()
    person.refresh_from_db()
    assert (person.blocked_reason, person.token_version) == (BlockReason.STAFF, 1)


def test_a_token_is_refused_from_the_block_on(clock, api):
    person = person_seen(31)
    token = {"Authorization": f"Bearer {issue_access_token(person)}"}
    sweep()
    assert api(None).get("users/me", headers=token).status_code == 401


def test_a_week_before_there_is_one_warning_per_absence(clock):
    person = person_seen(22.9, first_name="Ivan")
    assert sweep().warned == 0
    clock.shift(DAY)
    assert (sweep().warned, sweep().warned) == (1, 0)
    deliver_mail()
    (message,) = mail.outbox
    assert message.to == [person.email]
    assert "Ivan" in message.body
    clock.shift(6 * DAY)
    assert (sweep().warned, sweep().blocked) == (0, 0)
    person.refresh_from_db()
    person.last_login = timezone.now()
    person.save()
    clock.shift(24 * DAY)
    assert sweep().warned == 1
    clock.shift(6 * DAY + timedelta(seconds=1))
    assert sweep().blocked == 1


def test_who_could_not_be_warned_is_blocked_all_the_same(clock):
    """The sweep stood still for weeks: the rule is the last log-in."""
    person_seen(60)
    result = sweep()
    assert (result.warned, result.blocked) == (0, 1)


def test_batches_go_on_until_all_are_done(clock, monkeypatch):
    monkeypatch.setattr(inactivity, "BATCH", 2)
    for _number in range(5):
        person_seen(31)
        person_seen(25)
    result = sweep()
    assert (result.blocked, result.warned, result.finished) == (5, 5, True)
    assert Delivery.objects.count() == 5


def test_without_time_the_rest_is_left_to_the_next_task(
    monkeypatch, django_capture_on_commit_callbacks
):
    """One account a batch, ten seconds each, in tasks of thirty seconds."""
    monkeypatch.setattr(inactivity, "BATCH", 1)
    seconds: list[float] = []
    monkeypatch.setattr(inactivity, "time", SimpleNamespace(monotonic=lambda: 10 * len(seconds)))
    for days in (40, 40, 40, 40, 40, 25, 25):
        person_seen(days)

    def execute(execute, sql, *rest):
        if sql.startswith('UPDATE "people_user"'):
            seconds.append(sql)
        return execute(sql, *rest)

    said = []
    for again in (True, True, False):
        OrmQ.objects.all().delete()
        with connection.execute_wrapper(execute), django_capture_on_commit_callbacks(execute=True):
            said.append(sweep_inactive())
        tasks = [task.task["func"] for task in OrmQ.objects.all()]
        assert tasks.count("people.tasks.sweep_inactive") == again
    assert [tuple(one.values()) for one in said] == [(0, 3), (1, 2), (1, 0)]
    assert not sweep(seconds=0).finished


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("days", "counted"), [(31, "blocked"), (25, "warned")])
def test_two_sweeps_at_once_share_the_work(monkeypatch, days, counted):
    monkeypatch.setattr(inactivity, "BATCH", 3)
    for _number in range(12):
        person_seen(days)
    results = at_once(sweep, sweep, before_writing=User)
    assert sum(getattr(result, counted) for result in results) == 12
    if counted == "blocked":
        blocked = User.objects.filter(is_active=False).values_list("token_version", flat=True)
        assert list(blocked) == [1] * 12
    assert Delivery.objects.count() == (12 if counted == "warned" else 0)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("days", [31, 25])
def test_who_logs_in_at_this_moment_is_passed_over(days):
    person = person_seen(days)
    with transaction.atomic():
        User.objects.filter(pk=person.pk).update(last_login=timezone.now())
        [result] = at_once(sweep)
    assert (result.blocked, result.warned) == (0, 0)
    assert sweep() == result
    person.refresh_from_db()
    assert person.is_active


# --- Who is here --------------------------------------------------------------------------------


def swept():
    result = sweep()
    return result.warned, result.blocked


def learn(api, _client_of, person):
    with_token = {"Authorization": f"Bearer {issue_access_token(person)}"}
    assert api(None).get("learning/courses", headers=with_token).status_code == 200


def look_at_the_admin(_api, client_of, person):
    User.objects.filter(pk=person.pk).update(is_staff=True)
    client = client_of(person)
    seen = timezone.now() - 100 * DAY  # `client_of` logs in
    User.objects.filter(pk=person.pk).update(last_login=seen)
    assert client.get("/admin/").status_code == 200


def refresh(api, _client_of, person):
    pair = issue_pair(person)
    assert api(None).post("auth/token/refresh", {"refresh": pair.refresh}).status_code == 200


def log_in(api, _client_of, person):
    body = {"email": person.email, "password": PASSWORD}
    assert api(None).post("auth/token", body).status_code == 200


def log_in_to_the_admin(_api, client_of, person):
    User.objects.filter(pk=person.pk).update(is_staff=True)
    body = {"username": person.email, "password": PASSWORD}
    assert client_of(None).post("/admin/login/", body).status_code == 302


def set_a_new_password(api, _client_of, person):
    link = password_reset_link(person).split("/")
    body = {"uid": link[-2], "token": link[-1], "new_password": "another good battery"}
    assert api(None).post("auth/password/reset/confirm", body).status_code == 204


def be_unblocked(_api, _client_of, person):
    blocks.block(user=person, by=None)
    blocks.unblock(user=person, by=None)


def be_administrator_no_more(_api, _client_of, person):
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    administrator = UserFactory.create(is_superuser=True, is_staff=True)
    staff.update_account(user=person, by=administrator, changes={"is_superuser": False})


def be_kept_no_more(_api, _client_of, person):
    administrator = UserFactory.create(is_superuser=True, is_staff=True)
    inactivity.keep_account(user=person, by=administrator, reason="On parental leave")
    inactivity.stop_keeping(user=person, by=administrator)


SIGNS_OF_LIFE = [
    learn,
    look_at_the_admin,
    refresh,
    log_in,
    log_in_to_the_admin,
    set_a_new_password,
    be_unblocked,
    be_administrator_no_more,
    be_kept_no_more,
]


@pytest.mark.parametrize("be_here", SIGNS_OF_LIFE)
def test_whoever_was_just_here_is_warned_anew_before_they_are_blocked(
    clock, api, client_of, be_here
):
    person = person_seen(100)
    User.objects.filter(pk=person.pk).update(warned_at=timezone.now() - 77 * DAY)
    be_here(api, client_of, person)
    clock.shift(22 * DAY)
    assert swept() == (0, 0)
    clock.shift(2 * DAY)
    assert swept() == (1, 0)
    clock.shift(7 * DAY)
    assert swept() == (0, 1)


def test_being_here_with_an_old_session_is_noted_once_an_hour_and_is_no_log_in(
    clock, client_of, moderator
):
    client = client_of(moderator)
    logged_in = User.objects.get(pk=moderator.pk).last_login
    noted = []
    for minutes in (0, 61, 10, 51):
        clock.shift(timedelta(minutes=minutes))
        assert client.get("/admin/").status_code == 200
        noted.append(User.objects.get(pk=moderator.pk).inactivity_from)
    assert noted == [None, logged_in + timedelta(minutes=61), noted[1], timezone.now()]
    assert User.objects.get(pk=moderator.pk).last_login == logged_in


def test_a_session_of_weeks_keeps_its_moderator(clock, client_of, moderator, settings):
    settings.SESSION_COOKIE_AGE = 365 * 86_400
    client = client_of(moderator)
    for _day in range(60):
        clock.shift(DAY)
        assert client.get("/admin/").status_code == 200
        assert swept() == (0, 0)


def test_a_sweep_that_ran_twice_blocks_nobody_twice(clock):
    person = person_seen(40)
    at = timezone.now()
    assert sweep(at=at).blocked == 1
    clock.shift(60)
    blocks.unblock(user=User.objects.get(pk=person.pk), by=None)
    assert sweep(at=at).blocked == 0
    assert sweep(at=at + timedelta(hours=1)).blocked == 0
    person.refresh_from_db()
    assert (person.is_active, person.token_version) == (True, 1)


def test_a_sweep_at_a_time_that_comes_twice_does_nothing_the_second_time(clock):
    """In Cairo 23:30 of 28 October 2027 is at 20:30 and at 21:30 UTC, and in between the cluster starts
    what is due again and again."""
    clock.move_to(datetime(2027, 10, 28, 20, 30, tzinfo=UTC))
    gone, soon = person_seen(40), person_seen(25)
    assert swept() == (1, 1)
    blocks.unblock(user=User.objects.get(pk=gone.pk), by=None)
    for _run in range(120):
        clock.shift(30)
        assert swept() == (0, 0)
    assert Delivery.objects.get().recipient == soon


# --- Whom staff keep ----------------------------------------------------------------------------


def test_who_is_kept_is_neither_warned_nor_blocked(clock, administrator):
    warned, gone = person_seen(25), person_seen(31)
    assert sweep(at=timezone.now()).warned == 1
    for person in (warned, User.objects.get(pk=gone.pk)):
        blocks.unblock(user=person, by=None)
        inactivity.keep_account(user=person, by=administrator, reason="Writes exams in May")
    deliver_mail()
    assert mail.outbox == []
    assert Delivery.objects.get().error == "the account is kept"
    clock.shift(400 * DAY)
    assert swept() == (0, 0)
    assert User.objects.soon_blocked_count() == 0
    output = StringIO()
    call_command("block_inactive", dry_run=True, stdout=output)
    assert output.getvalue() == "0 to be blocked by a sweep now, nothing changed\n"


@pytest.mark.parametrize(
    "fields",
    [{"kept_reason": "A reason without a time"}, {"kept_at": "2026-01-01T00:00:00Z"}],
)
def test_the_database_wants_a_reason_for_an_exemption(fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        UserFactory.create(**fields)


def test_only_who_may_manage_an_account_keeps_it(support, moderator, learner):
    with pytest.raises(PermissionDenied):
        inactivity.keep_account(user=learner, by=moderator, reason="Mine")
    with pytest.raises(PermissionDenied):
        inactivity.keep_account(user=moderator, by=support, reason="A colleague")
    inactivity.keep_account(user=learner, by=support, reason="On leave")
    with pytest.raises(PermissionDenied):
        inactivity.stop_keeping(user=learner, by=moderator)
    inactivity.stop_keeping(user=learner, by=support)
    learner.refresh_from_db()
    assert (learner.kept_at, learner.kept_reason) == (None, "")


def test_an_erased_account_is_kept_no_more(administrator, learner):
    inactivity.keep_account(user=learner, by=administrator, reason="Lev is ill")
    accounts.erase_account(user=learner, by=administrator)
    learner.refresh_from_db()
    assert (learner.kept_at, learner.kept_reason) == (None, "")
    with pytest.raises(AccountErased):
        inactivity.keep_account(user=learner, by=administrator, reason="Again")


def test_the_command_lists_who_would_be_blocked_and_when(clock):
    gone = person_seen(40, email="gone@school.example")
    soon = person_seen(25, email="soon@school.example")
    person_seen(1)
    person_seen(22.9)
    output = StringIO()
    call_command("block_inactive", dry_run=True, stdout=output)
    now = timezone.localtime()
    lines = output.getvalue().splitlines()
    assert lines[0].startswith(f"{now:%Y-%m-%d %H:%M}  {gone.email}")
    assert lines[1].startswith(f"{now + 5 * DAY:%Y-%m-%d %H:%M}  {soon.email}")
    assert lines[2:] == ["1 to be blocked by a sweep now, nothing changed"]
    assert User.objects.active().count() == 4
    output = StringIO()
    call_command("block_inactive", stdout=output)
    assert output.getvalue() == "1 blocked, 1 warned\n"
