"""How a person chooses to hear of updates: in the profile, for a course, by staff, and from a mail."""

import pytest
from django.urls import reverse

from lms.mails import subscription_of, unsubscribe_token
from lms.models import Subscription
from lms.tests.factories import CourseFactory, SubscriptionFactory
from people.models import CourseMails, User
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

AT_ONCE, DAILY, NEVER = CourseMails.AT_ONCE, CourseMails.DAILY, CourseMails.NEVER


@pytest.fixture
def subscription(learner):
    return SubscriptionFactory.create(user=learner, course__published=True, course__title="Bread")


def test_the_profile_says_it_and_takes_it(api, learner, stranger):
    assert api(learner).get("users/me").json()["course_mails"] == "at_once"
    for how in ("daily", "never", "at_once"):
        answer = api(learner).patch(f"users/{learner.pk}", {"course_mails": how})
        assert (answer.status_code, answer.json()["course_mails"]) == (200, how)
    for wrong in ("weekly", "", None):
        answer = api(learner).patch(f"users/{learner.pk}", {"course_mails": wrong})
        assert answer.status_code == 422
    answer = api(stranger).patch(f"users/{learner.pk}", {"course_mails": "never"})
    assert answer.status_code == 403
    learner.refresh_from_db()
    assert learner.course_mails == AT_ONCE


def test_a_course_has_a_choice_of_its_own_until_it_is_taken_back(api, learner, subscription):
    path = f"courses/{subscription.course_id}/subscription"
    for how in ("daily", "never", "at_once", None):
        answer = api(learner).patch(path, {"course_mails": how})
        assert answer.status_code == 200
        assert answer.json() == {
            "course_id": subscription.course_id,
            "title": "Bread",
            "since": answer.json()["since"],
            "course_mails": how,
        }
        assert api(learner).get("subscriptions").json()["items"] == [answer.json()]
    api(learner).patch(path, {"course_mails": "daily"})
    assert api(learner).patch(path, {}).json()["course_mails"] == "daily"
    assert api(learner).patch(path, {"course_mails": "weekly"}).status_code == 422


def test_who_is_not_subscribed_has_nothing_to_choose(api, learner, stranger, subscription):
    path = f"courses/{subscription.course_id}/subscription"
    assert api(stranger).patch(path, {"course_mails": "never"}).status_code == 404
    subscription.course.is_published = False
    subscription.course.save()
    assert api(learner).patch(path, {"course_mails": "never"}).status_code == 404
    assert api(learner).patch(f"courses/{10**30}/subscription", {}).status_code == 404
    subscription.refresh_from_db()
    assert subscription.course_mails is None


def test_a_person_is_told_of_none_but_their_own(api, learner, stranger, subscription):
    other = SubscriptionFactory.create(user=stranger, course=subscription.course)
    api(learner).patch(f"courses/{other.course_id}/subscription", {"course_mails": "never"})
    other.refresh_from_db()
    assert other.course_mails is None


def test_staff_see_and_change_it_on_the_page_of_the_person(client_of, administrator, subscription):
    person = subscription.user
    page = reverse("admin:people_user_change", args=[person.pk])
    shown = client_of(administrator).get(page)
    form = shown.context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data = {name: value for name, value in values.items() if value not in (None, False)}
    management = {
        f"{one.formset.prefix}-{name}": "0"
        for one in shown.context["inline_admin_formsets"]
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    client_of(administrator).post(page, data | management | {"course_mails": "daily"})
    person.refresh_from_db()
    subscription.refresh_from_db()
    assert person.course_mails == DAILY
    assert subscription.digested_up_to is not None


# --- The link in a mail ---------------------------------------------------------------------------


def link(person: User, course_id: int | None = None) -> str:
    return f"/unsubscribe/{unsubscribe_token(person, course_id)}/"


def test_a_link_names_one_course_or_all(learner):
    assert subscription_of(unsubscribe_token(learner, 7)) == (learner, 7)
    assert subscription_of(unsubscribe_token(learner)) == (learner, None)


def test_to_open_a_link_asks_and_changes_nothing(client, learner, subscription):
    for path, offered in (
        (link(learner, subscription.course_id), ["leave", "at_once", "daily", "never"]),
        (link(learner), ["at_once", "daily", "never"]),
    ):
        page = client.get(path)
        text = page.content.decode()
        assert [part.split('"')[0] for part in text.split('name="choice" value="')[1:]] == offered
        assert page.status_code == client.head(path).status_code == 200
    learner.refresh_from_db()
    assert learner.course_mails == AT_ONCE
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize("how", CourseMails)
@pytest.mark.parametrize("is_about_one", [True, False])
def test_a_link_chooses_for_all_courses_and_forgets_the_choice_for_one(
    client, learner, subscription, how, is_about_one
):
    path = link(learner, subscription.course_id if is_about_one else None)
    Subscription.objects.update(course_mails=NEVER)
    other = SubscriptionFactory.create(course=subscription.course, course_mails=NEVER)
    assert client.post(path, {"choice": how.value}).status_code == 200
    learner.refresh_from_db()
    subscription.refresh_from_db()
    other.refresh_from_db()
    assert (learner.course_mails, subscription.course_mails) == (how, None)
    assert (other.course_mails, other.user.course_mails) == (NEVER, AT_ONCE)


def test_a_link_about_a_course_leaves_it_and_no_other(client, learner, subscription):
    other = SubscriptionFactory.create(user=learner)
    for body in ({"choice": "leave"}, {"List-Unsubscribe": "One-Click"}):
        SubscriptionFactory.create(user=learner, course=CourseFactory.create())
        gone = Subscription.objects.latest("pk")
        page = client.post(link(learner, gone.course_id), body)
        assert "unsubscribed" in page.content.decode()
        assert set(Subscription.objects.all()) == {subscription, other}
    learner.refresh_from_db()
    assert learner.course_mails == AT_ONCE


@pytest.mark.parametrize(
    ("choice", "is_published", "on"),
    [
        ("leave", True, "courses/{}"),
        ("leave", False, ""),
        ("daily", True, "courses/{}"),
        ("never", True, "profile"),
    ],
)
def test_the_page_leads_on_into_the_front(client, learner, choice, is_published, on):
    course = CourseFactory.create(is_published=is_published)
    page = client.post(link(learner, course.pk), {"choice": choice})
    assert f'href="https://school.example/{on.format(course.pk)}"' in page.content.decode()


def test_a_link_that_is_not_valid_leads_on_into_the_front(client):
    page = client.get(reverse("unsubscribe", args=["x"]))
    assert page.status_code == 404
    assert 'href="https://school.example/"' in page.content.decode()


def test_one_click_in_the_daily_mail_ends_all_mails_and_no_subscription(
    client, learner, subscription
):
    page = client.post(link(learner), {"List-Unsubscribe": "One-Click"})
    assert "any course" in page.content.decode()
    learner.refresh_from_db()
    assert learner.course_mails == NEVER
    assert Subscription.objects.get() == subscription


def test_what_a_link_does_not_offer_changes_nothing(client, learner, subscription):
    for path, choice in (
        (link(learner), "leave"),
        (link(learner), "weekly"),
        (link(learner, subscription.course_id), ""),
    ):
        assert client.post(path, {"choice": choice}).status_code == 400
    learner.refresh_from_db()
    assert learner.course_mails == AT_ONCE
    assert Subscription.objects.count() == 1


def test_the_page_speaks_the_language_of_the_person(client):
    person = UserFactory.create(language="ru")
    for choice, words in (
        ("daily", "Ваш выбор сохранён"), ("at_once", "Ваш выбор сохранён"), ("never", "Вы отписались"),
    ):  # fmt: skip
        assert words in client.post(link(person), {"choice": choice}).content.decode()
    assert "Одним письмом в день" in client.get(link(person)).content.decode()


def test_a_link_of_somebody_who_is_gone_says_that_it_is_done(client, learner):
    path = link(learner)
    learner.delete()
    assert client.post(path, {"choice": "daily"}).status_code == 200
