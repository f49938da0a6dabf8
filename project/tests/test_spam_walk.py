"""Whoever wants the school to write to a stranger, in every way that the API and the admin offer."""

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from lms.models import Course
from lms.tests.factories import CourseFactory
from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import page, person_form
from project.mail.models import Delivery, DeliveryStatus

pytestmark = pytest.mark.django_db

STRANGER = "stranger@elsewhere.example"
SPELLINGS = (STRANGER, STRANGER.upper(), f" {STRANGER}")
# What somebody could want a stranger to read.
WORD = "Zyxadvert"
TYPED = {"first_name": WORD, "last_name": WORD, "city": WORD}
CONFIRM = {"confirm": "1", "reason": WORD}
CONFIRMATION = ("Confirm your email for Parta", "Your new email for Parta")
RESET = "A new password for Parta"


def sorts(messages):
    """How many there are of each sort, of whatever else there is the subject."""
    subjects = [str(message["Subject"]) for message in messages]
    others = [one for one in subjects if one not in {*CONFIRMATION, RESET}]
    return sum(one in CONFIRMATION for one in subjects), subjects.count(RESET), others


def text_of(message):
    return " ".join(str(part.get_content()) for part in message.walk() if not part.is_multipart())


@pytest.fixture
def each(run_worker):
    """Do each of these, as if the throttles of an hour had been waited for, and what it leaves to the
    worker."""

    def do(*calls):
        for call in calls:
            cache.clear()
            run_worker(call)

    return do


@pytest.fixture
def course(author):
    return CourseFactory.create(
        owner=author,
        title=WORD,
        published=True,
        materials_updated_at=timezone.now().replace(year=2025),
    )


def register(api, email):
    return api(None).post("auth/register", {"email": email, "password": PASSWORD, **TYPED})


def through_the_api(api, account, other):
    """What the two, who registered, can have sent to the stranger by naming the address."""
    for email in SPELLINGS:
        yield lambda email=email: register(api, email)
        yield lambda email=email: api(None).post("auth/password/reset", {"email": email})
        yield lambda email=email: api(None).post("auth/reactivation", {"email": email})
        for person in (account, other):
            body = {"email": email, "password": PASSWORD}
            yield lambda body=body, person=person: api(person).post("users/me/email", body)
    yield lambda: api(account).post("auth/email/confirmation")
    yield lambda: api(account).post("auth/logout/everywhere")


def use_the_school(api, account, author, course):
    """What brings mails to those who confirmed: news, orders, a copy of the data."""
    yield lambda: api(account).post(f"courses/{course.pk}/subscription")
    yield lambda: api(author).patch(f"courses/{course.pk}", {"description": WORD})
    yield lambda: api(account).post("payments", {"course_id": course.pk, "method": "cash"})
    yield lambda: api(account).post("users/me/export")


def test_through_the_api_a_stranger_gets_one_confirmation_and_one_reset(
    api, each, sink, author, course
):
    each(lambda: register(api, STRANGER))
    account = User.objects.get(email=STRANGER)
    other = UserFactory.create(**TYPED)
    for _round in range(2):
        account.refresh_from_db()
        each(*use_the_school(api, account, author, course))
        each(*through_the_api(api, account, other))
        Course.objects.update(materials_updated_at=timezone.now().replace(year=2025))
    # The account goes, and another one comes in its place.
    account.refresh_from_db()
    each(lambda: api(account).delete(f"users/{account.pk}"), lambda: register(api, STRANGER))
    assert User.objects.filter(email=STRANGER).exists()
    each(*through_the_api(api, User.objects.get(email=STRANGER), other))
    messages = sink.messages(STRANGER)
    assert sorts(messages) == (1, 1, [])
    assert WORD not in " ".join(map(text_of, messages))


def test_through_the_admin_a_stranger_gets_one_confirmation_and_one_reset(
    api, each, sink, client_of, administrator, author, course
):
    client = client_of(administrator)
    each(lambda: register(api, STRANGER))
    account = User.objects.get(email=STRANGER)
    other = UserFactory.create(**TYPED)
    access = {"user": account.pk, "course": course.pk, "reason": WORD}
    for _round in range(2):
        for name in ("send_confirmation", "password_reset"):
            many = {"action": f"{name}_many", "_selected_action": account.pk, "confirm": "1"}
            each(
                lambda name=name: client.post(page(name, account.pk), CONFIRM),
                lambda many=many: client.post(page("changelist"), many),
            )
        each(lambda: client.post(reverse("admin:lms_access_add"), access))
        # Somebody else's account gets the address of the stranger, and theirs comes back.
        for one, email in ((account, "aside@school.example"), (other, STRANGER)):
            form = person_form(one, email=email)
            each(lambda one=one, form=form: client.post(page("change", one.pk), form))
        for one, email in ((other, "other@school.example"), (account, STRANGER)):
            form = person_form(User.objects.get(pk=one.pk), email=email)
            each(lambda one=one, form=form: client.post(page("change", one.pk), form))
        Delivery.objects.update(status=DeliveryStatus.PERHAPS)
        many = {
            "action": "send_again_many",
            "_selected_action": list(Delivery.objects.values_list("pk", flat=True)),
        }
        each(
            lambda many=many: client.post(
                reverse("admin:mail_delivery_changelist"), {**many, "confirm": "1"}
            )
        )
        each(lambda: client.post(reverse("admin_password_forgotten"), {"email": STRANGER}))
    messages = sink.messages(STRANGER)
    confirmations, resets, _others = sorts(messages)
    assert (confirmations, resets) == (1, 1)
    asked = [one for one in messages if str(one["Subject"]) in {*CONFIRMATION, RESET}]
    assert WORD not in " ".join(map(text_of, asked))


def test_who_is_invited_gets_no_more_than_the_limit(each, sink, client_of, administrator, settings):
    client = client_of(administrator)
    form = {"email": STRANGER, "first_name": WORD, "last_name": WORD, "language": "en"}
    each(lambda: client.post(page("add"), form))
    person = User.objects.get(email=STRANGER)
    for _round in range(settings.MAILS_PER_ADDRESS + 2):
        each(lambda: client.post(page("invite_again", person.pk), {"confirm": "1"}))
    each(lambda: client.post(page("withdraw", person.pk), {"confirm": "1"}))
    each(lambda: client.post(page("add"), form))
    assert len(sink.messages(STRANGER)) == settings.MAILS_PER_ADDRESS
