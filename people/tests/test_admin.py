"""People and groups in the admin: what staff may do with accounts, and what they may not."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from lms.models import AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory
from people.models import BlockReason, StaffMessage, User
from people.models.users import moderators_group
from people.services import blocks, inactivity
from people.tests.factories import RefusedAddressFactory, UserFactory
from people.tokens import issue_pair
from project.mail.models import Delivery


def page(name: str, *args: int) -> str:
    return reverse(f"admin:people_user_{name}", args=args)


SECTIONS = (
    "subscriptions", "accesses", "payments", "courses", "staff_messages", "deliveries",
    "token_families", "admin_sessions", "log_ins",
)  # fmt: skip


def person_form(person: User, **fields: Any) -> dict[str, Any]:
    """What the browser sends from the page of a person."""
    rows = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0}
    sections = {f"{of}-{name}": n for of in SECTIONS for name, n in rows.items()}
    return sections | {
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone": person.phone,
        "city": person.city,
        "language": person.language,
        "course_mails": person.course_mails,
        **fields,
    }


def confirmed(reason: str = "Insults others") -> dict[str, str]:
    return {"confirm": "1", "reason": reason}


def as_moderator() -> dict[str, Any]:
    return {"confirm": "1", "roles": [moderators_group().pk]}


def reread(person: User) -> User:
    user: User = User.objects.get(pk=person.pk)
    return user


@pytest.fixture
def sweep_of():
    """Warn only these people."""

    def sweep(*people: User) -> None:
        others = User.objects.exclude(pk__in=[person.pk for person in people])
        logins = dict(others.values_list("pk", "last_login"))
        others.update(last_login=timezone.now())
        inactivity.sweep()
        for pk, moment in logins.items():
            User.objects.filter(pk=pk).update(last_login=moment)

    return sweep


def shown_rows(text: str) -> list[dict[str, str]]:
    """The columns of the list, by their names."""
    cells = re.findall(
        r"<(?:td|th)[^>]*class=\"[^\"]*field-(\w+)[^\"]*\"[^>]*>(.*?)</(?:td|th)>", text, re.DOTALL
    )
    rows: list[dict[str, str]] = []
    for name, content in cells:
        if name == "person":
            rows.append({})
        rows[-1][name] = " ".join(re.sub(r"<[^>]+>", " ", content).split())
    return rows


def test_the_form_is_shown_again_although_an_access_came_meanwhile(
    client_of, administrator, learner
):
    lessons = LessonFactory.create_batch(2)
    first = accesses.grant_access(user=learner, target=lessons[0], source=AccessSource.GRANT)[0]
    taken = person_form(learner, email=administrator.email)
    row = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": first.pk, "0-user": learner.pk}
    taken |= {f"accesses-{name}": value for name, value in row.items()}
    first.delete()
    response = client_of(administrator).post(page("change", learner.pk), taken)
    assert response.status_code == 200
    assert "email" in response.context["adminform"].form.errors


# --- Rights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rights", [{"is_superuser": "on"}, {"is_staff": "on"}, {"groups": "moderators"}]
)
def test_who_may_change_people_gives_no_rights(client_of, support, learner, moderators, rights):
    if "groups" in rights:
        rights = {"groups": moderators_group().pk}
    client_of(support).post(page("change", learner.pk), person_form(learner, city="Riga", **rights))
    learner = reread(learner)
    assert learner.city == "Riga"
    assert not learner.is_staff
    assert not learner.is_superuser
    assert not learner.groups.exists()


@pytest.mark.parametrize("who", ["administrator", "moderator", "support"])
def test_staff_accounts_are_for_administrators(client_of, support, who, request):
    """With the e-mail or the password of a colleague comes all that the colleague may do."""
    colleague = request.getfixturevalue(who)
    client = client_of(support)
    form = person_form(colleague, email="taken@over.example", is_superuser="on")
    assert client.post(page("change", colleague.pk), form).status_code == 403
    address = reverse("admin:auth_user_password_change", args=[colleague.pk])
    assert client.get(address).status_code == 403
    new = {"password1": "another long one", "password2": "another long one"}
    assert client.post(address, new).status_code == 403
    again = reread(colleague)
    assert (again.email, again.password) == (colleague.email, colleague.password)


def test_nobody_sets_a_password_of_who_is_erased(client_of, administrator):
    erased = UserFactory.create(erased=True)
    address = reverse("admin:auth_user_password_change", args=[erased.pk])
    new = {"password1": "another long one", "password2": "another long one"}
    assert client_of(administrator).post(address, new).status_code == 403
    assert reread(erased).password == erased.password


def test_password_of_a_learner_ends_their_tokens(client_of, support, learner):
    address = reverse("admin:auth_user_password_change", args=[learner.pk])
    new = {"password1": "another long one", "password2": "another long one"}
    client_of(support).post(address, new)
    assert reread(learner).check_password("another long one")
    assert reread(learner).token_version > learner.token_version


@pytest.mark.parametrize("field", ["is_superuser", "is_staff"])
def test_last_administrator_keeps_the_rights(client_of, administrator, field):
    rights = {"is_superuser": "on", "is_staff": "on"}
    del rights[field]
    form = person_form(administrator, **rights)
    response = client_of(administrator).post(page("change", administrator.pk), form, follow=True)
    assert "last administrator" in response.content.decode()
    assert reread(administrator).is_superuser
    assert reread(administrator).is_staff
    UserFactory.create(is_superuser=True, is_staff=True)
    client_of(administrator).post(page("change", administrator.pk), form)
    assert not getattr(reread(administrator), field)


# --- What is done with people -----------------------------------------------------------------


def test_blocking_asks_for_a_reason_and_keeps_it(client_of, support, learner):
    client = client_of(support)
    assert client.get(page("block", learner.pk)).status_code == 200
    client.post(page("block", learner.pk), confirmed(reason=""))
    assert reread(learner).is_active
    client.post(page("block", learner.pk), confirmed())
    assert reread(learner).blocked_reason == BlockReason.STAFF
    entry = LogEntry.objects.get(object_id=str(learner.pk))
    assert entry.user == support
    assert "Insults others" in entry.get_change_message()
    client.post(page("unblock", learner.pk), confirmed("Apologised"))
    assert reread(learner).is_active


def test_who_was_blocked_for_inactivity_can_be_blocked_by_staff(client_of, support, learner):
    """They could open their account again by mail."""
    blocks.block(user=learner, by=None, reason=BlockReason.INACTIVITY)
    client = client_of(support)
    assert page("block", learner.pk) in client.get(page("change", learner.pk)).text
    client.post(page("block", learner.pk), confirmed())
    assert reread(learner).blocked_reason == BlockReason.STAFF
    assert page("block", learner.pk) not in client.get(page("change", learner.pk)).text


def test_what_an_old_page_offers_is_not_done(client_of, support, learner):
    response = client_of(support).post(page("unblock", learner.pk), confirmed(), follow=True)
    assert "something has changed in the meantime" in response.text
    assert not LogEntry.objects.exists()


def test_of_many_those_that_it_does_not_fit_are_left_out(client_of, support, learner):
    blocked = UserFactory.create(blocked=True)
    form = {"action": "unblock_many", "_selected_action": [learner.pk, blocked.pk]}
    client = client_of(support)
    asked = client.post(page("changelist"), form)
    assert blocked.email in asked.text
    assert learner.email not in asked.text
    client.post(page("changelist"), form | confirmed("Apologised"))
    assert reread(blocked).is_active
    assert LogEntry.objects.get().object_id == str(blocked.pk)


def test_many_are_blocked_after_one_question(client_of, support):
    people = UserFactory.create_batch(2)
    client = client_of(support)
    form = {"action": "block_many", "_selected_action": [person.pk for person in people]}
    asked = client.post(page("changelist"), form)
    assert asked.status_code == 200
    assert User.objects.active().filter(pk__in=form["_selected_action"]).count() == 2
    client.post(page("changelist"), form | confirmed())
    assert User.objects.blocked().count() == 2


@pytest.mark.parametrize("who", ["support", "administrator"])
def test_nobody_blocks_themselves(client_of, who, request):
    user = request.getfixturevalue(who)
    client = client_of(user)
    assert client.post(page("block", user.pk), confirmed()).status_code == 403
    other = UserFactory.create()
    form = {"action": "block_many", "_selected_action": [user.pk, other.pk], **confirmed()}
    response = client.post(page("changelist"), form, follow=True)
    assert f"You are not allowed to do this to: {user}" in response.text
    assert reread(user).is_active
    assert reread(other).is_active


def test_support_can_t_block_an_administrator(client_of, support, administrator):
    assert client_of(support).post(page("block", administrator.pk), confirmed()).status_code == 403
    assert reread(administrator).is_active


def test_administrator_makes_and_dismisses_a_moderator(
    client_of, administrator, learner, moderators
):
    client = client_of(administrator)
    client.post(page("give_roles", learner.pk), as_moderator())
    assert reread(learner).is_moderator
    assert reread(learner).is_staff
    client.post(page("take_roles", learner.pk), as_moderator())
    assert not reread(learner).is_moderator
    assert not reread(learner).is_staff


def test_dismissed_moderator_with_other_rights_stays_in_the_staff(
    client_of, administrator, moderator
):
    moderator.user_permissions.add(Permission.objects.get(codename="view_payment"))
    client_of(administrator).post(page("take_roles", moderator.pk), as_moderator())
    assert reread(moderator).is_staff


def test_support_makes_no_moderators(client_of, support, learner, moderators):
    client = client_of(support)
    assert client.post(page("give_roles", learner.pk), as_moderator()).status_code == 403
    form = {"action": "give_roles_many", "_selected_action": [learner.pk], **as_moderator()}
    client.post(page("changelist"), form)
    assert not reread(learner).is_moderator


def test_password_reset_goes_by_mail(client_of, support, learner, mailoutbox, run_worker):
    client = client_of(support)
    run_worker(lambda: client.post(page("password_reset", learner.pk), {"confirm": "1"}))
    assert [mail.to for mail in mailoutbox] == [[learner.email]]


@pytest.mark.parametrize("state", [{}, {"blocked": True}])
def test_erasing_takes_the_place_of_deleting(client_of, administrator, state):
    person = UserFactory.create(first_name="Lev", **state)
    client = client_of(administrator)
    assert page("delete", person.pk) not in client.get(page("change", person.pk)).content.decode()
    client.post(page("erase", person.pk), {"typed": person.email, **confirmed("Asked by letter")})
    erased = reread(person)
    assert erased.first_name == ""
    assert erased.blocked_reason == BlockReason.ERASED
    assert "Lev" not in str(LogEntry.objects.filter(object_id=str(person.pk)).values())
    # Nothing can be done with such an account any more.
    assert client.post(page("unblock", person.pk), confirmed()).status_code == 403


# --- The list and the page --------------------------------------------------------------------


def test_filters_and_search_find_people(client_of, support, settings):
    now = timezone.now()
    old = now - settings.INACTIVITY_PERIOD + timedelta(days=3)
    sleepy = UserFactory.create(email="sleepy@school.example", last_login=old, city="Самара")
    blocked = UserFactory.create(blocked=True, last_login=now)
    client = client_of(support)
    for query, expected in (
        ({"soon_blocked": "1"}, sleepy),
        ({"state": "blocked"}, blocked),
        ({"state": "staff"}, blocked),
        ({"q": "SLEEPY@"}, sleepy),
        ({"q": "самара"}, sleepy),
    ):
        found = client.get(page("changelist"), query).context["cl"].result_list
        assert list(found) == [expected], query


def test_the_list_says_who_is_blocked_when_and_what_became_of_the_warning(
    client_of, support, settings, sweep_of
):
    settings.INACTIVITY_PERIOD = timedelta(days=30)
    with time_machine.travel("2026-05-31T09:00:00Z", tick=False):
        now = timezone.now()
        last, first, unwarned = (
            UserFactory.create(last_login=now - timedelta(days=days)) for days in (24, 29, 28)
        )
        UserFactory.create(last_login=now)
        sweep_of(last, first)
        Delivery.objects.filter(recipient=first).update(status="refused", error="550 5.1.1 Gone")
        client = client_of(support)
        answer = client.get(page("changelist"), {"soon_blocked": "1"})
        assert list(answer.context["cl"].result_list) == [first, unwarned, last]
        rows = shown_rows(answer.text)
        assert [row["blocked_from"] for row in rows] == [
            "June 1, 2026, 12:00",
            "June 2, 2026, 12:00",
            "June 6, 2026, 12:00",
        ]
        assert [row["warned_on"] for row in rows] == [
            "May 31, 2026, 12:00",
            "—",
            "May 31, 2026, 12:00",
        ]
        assert [row["warning"] for row in rows] == ["refused by the mail server", "—", "waiting"]
        text = client.get(page("change", first.pk)).text
        assert "June 1, 2026, 12:00" in text
        assert "refused by the mail server: 550 5.1.1 Gone" in text
        blocks.block(user=first, by=None)
        assert "June 1, 2026, 12:00" not in client.get(page("change", first.pk)).text


def test_staff_keep_an_account_and_stop_keeping_it(client_of, support, learner):
    client = client_of(support)
    assert client.post(page("keep", learner.pk), {"confirm": "1", "reason": " "}).status_code == 200
    assert reread(learner).kept_at is None
    client.post(page("keep", learner.pk), confirmed("Writes exams in May"))
    assert (reread(learner).kept_at is None, reread(learner).kept_reason) == (
        False,
        "Writes exams in May",
    )
    assert "Writes exams in May" in client.get(page("change", learner.pk)).text
    kept = client.get(page("changelist"), {"soon_blocked": "kept"})
    assert list(kept.context["cl"].result_list) == [learner]
    assert "Writes exams in May" in kept.text
    client.post(page("stop_keeping", learner.pk), confirmed("Has passed them"))
    assert (reread(learner).kept_at, reread(learner).kept_reason) == (None, "")
    entries = LogEntry.objects.order_by("pk")
    assert [entry.get_change_message() for entry in entries] == [
        "Keep this account: Writes exams in May",
        "Stop keeping this account: Has passed them",
    ]


def test_staff_see_why_an_address_gets_no_mail_and_let_it_get_some(
    client_of, support, moderator, learner
):
    refusal = RefusedAddressFactory.create(
        recipient=learner, last_words="550 5.2.1 <b>Disabled</b>"
    )
    once = RefusedAddressFactory.create(stopped_at=None).recipient
    client = client_of(support)
    found = client.get(page("changelist"), {"mail": "stopped"}).context["cl"].result_list
    assert list(found) == [learner]
    text = client.get(page("change", learner.pk)).text
    for at, words in (
        (refusal.first_at, refusal.first_words),
        (refusal.last_at, "550 5.2.1 &lt;b&gt;Disabled&lt;/b&gt;"),
    ):
        assert f"{date_format(localtime(at), 'DATETIME_FORMAT')}: {words}" in text
    assert "on another day, no more email is sent" in client.get(page("change", once.pk)).text
    support.user_permissions.set(Permission.objects.filter(codename="view_user"))
    assert client.post(page("allow_mail", learner.pk), confirmed()).status_code == 403
    support.user_permissions.set(Permission.objects.filter(codename__endswith="_user"))
    client.post(page("allow_mail", learner.pk), confirmed("Has a mailbox again"))
    assert not learner.refused_addresses.exists()
    assert LogEntry.objects.get().get_change_message() == "Allow email again: Has a mailbox again"
    assert "Undelivered email" not in client.get(page("change", learner.pk)).text
    RefusedAddressFactory.create(recipient=moderator)
    assert client.post(page("allow_mail", moderator.pk), confirmed()).status_code == 403


def test_administrators_need_not_be_kept(client_of, administrator):
    other = UserFactory.create(is_superuser=True, is_staff=True)
    client_of(administrator).post(page("keep", other.pk), confirmed())
    assert reread(other).kept_at is None


def test_page_of_a_person_shows_what_they_follow_and_teach(client_of, support, learner):
    SubscriptionFactory.create(user=learner, course__title="Chess")
    CourseFactory.create(owner=learner, title="Bread")
    text = client_of(support).get(page("change", learner.pk)).content.decode()
    assert "Chess" in text
    assert "Bread" in text


def test_page_of_a_person_shows_what_they_may_learn_and_paid_for(client_of, support, learner):
    course = CourseFactory.create(title="Chess")
    accesses.grant_access(user=learner, target=course, source=AccessSource.GRANT)
    PaymentFactory.create(payer=learner, title="Rye", amount="1990.00")
    client = client_of(support)
    text = client.get(page("change", learner.pk)).text
    assert "Chess" in text
    assert "granted by staff" in text
    assert "Rye" in text
    assert "₽1,990" in text
    # The same page for somebody who looks after people only.
    rights = Permission.objects.filter(codename__in=["view_user", "change_user"])
    support.user_permissions.set(rights)
    text = client.get(page("change", learner.pk)).text
    assert "Chess" not in text
    assert "Rye" not in text


def test_page_of_a_person_does_not_tell_how_the_password_is_kept(client_of, administrator, learner):
    text = client_of(administrator).get(page("change", learner.pk)).text
    _algorithm, _salt, encoded = learner.password.split("$")
    assert encoded[:6] not in text
    assert "algorithm" not in text
    assert "Reset password" in text


def test_the_page_is_saved_although_a_session_on_it_has_ended(client_of, administrator, learner):
    issue_pair(learner)
    session = learner.token_families.get()
    row = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": session.pk, "0-user": learner.pk}
    form = person_form(learner, city="Kazan")
    form |= {f"token_families-{name}": value for name, value in row.items()}
    session.delete()
    response = client_of(administrator).post(page("change", learner.pk), form)
    assert response.status_code == 302
    learner.refresh_from_db()
    assert learner.city == "Kazan"


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_page_do_not_grow(
    client_of, administrator, learner, number, django_assert_num_queries
):
    for _row in range(number):
        lesson = LessonFactory.create()
        SubscriptionFactory.create(user=learner, course=lesson.course)
        accesses.grant_access(user=learner, target=lesson, source=AccessSource.GRANT)
        PaymentFactory.create(payer=learner)
        CourseFactory.create(owner=learner)
        StaffMessage.objects.create(recipient=learner, subject="x", text="x", key=uuid4())
    client = client_of(administrator)
    # 1 session, 2 administrator, 3 their log-in, 4 person for the buttons, 5 does mail reach them,
    # 6 have they a role, 7 person, 8 was their address refused, 9 their roles, 10-27 number and first
    # rows of nine sections, 28-32 of the head: does mail reach them, sums and lost disputes, what they
    # may learn, will they be blocked soon.
    ContentType.objects.get_for_model(User)  # known from the first page on
    with django_assert_num_queries(32):
        client.get(page("change", learner.pk))


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_list_do_not_grow(client_of, support, number, django_assert_num_queries):
    UserFactory.create_batch(number)
    client = client_of(support)
    # 1 session, 2 person, 3 their log-in, 4 own and 5 group rights, 6 roles of the filter, 7 count,
    # 8 keys of the page, 9 rows, 10 their roles, 11 whether the person is a moderator, who adds no
    # courses.
    with django_assert_num_queries(11):
        client.get(page("changelist"))
