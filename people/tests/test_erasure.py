"""Leaving for good."""

from io import BytesIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.forms.models import model_to_dict
from PIL import Image

from lms.models import Subscription
from lms.tests.factories import CourseFactory, SubscriptionFactory
from payments.models import Payment, PaymentMethod
from people.errors import InvalidToken
from people.models import BlockReason, User, moderators_group
from people.services import accounts
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

PERSONAL = {
    "first_name": "Leopold",
    "last_name": "Nevermore",
    "phone": "+79161234567",
    "city": "Atlantis",
}


def picture():
    encoded = BytesIO()
    Image.new("RGB", (8, 8)).save(encoded, "PNG")
    return ContentFile(encoded.getvalue(), name="image.png")


@pytest.fixture
def leaver(moderators):
    user = UserFactory.create(email="leopold@school.example", is_staff=True, **PERSONAL)
    user.groups.add(moderators_group())
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    return accounts.set_avatar(user=user, picture=picture())


def erase(api, user):
    return api(user).delete(f"users/{user.pk}")


def test_nothing_personal_is_left(api, leaver, django_capture_on_commit_callbacks):
    avatar = leaver.avatar.name
    assert default_storage.exists(avatar)
    LogEntry.objects.create(
        user=leaver,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(leaver.pk),
        object_repr=str(leaver),
        action_flag=CHANGE,
    )
    with django_capture_on_commit_callbacks(execute=True):
        response = erase(api, leaver)
    assert (response.status_code, response.content) == (204, b"")
    assert not default_storage.exists(avatar)
    erased = User.objects.get(pk=leaver.pk)
    stored = f"{model_to_dict(erased)} {LogEntry.objects.get().object_repr}".lower()
    for text in [*PERSONAL.values(), "leopold", avatar]:
        assert text.lower() not in stored
    assert erased.email == f"erased-{leaver.pk}@erased.invalid"
    assert not erased.avatar
    assert not erased.has_usable_password()


def test_all_rights_are_gone(api, leaver):
    erase(api, leaver)
    erased = User.objects.get(pk=leaver.pk)
    assert not erased.is_active
    assert not erased.is_staff
    assert erased.blocked_reason == BlockReason.ERASED
    assert not erased.groups.exists()
    assert not erased.user_permissions.exists()


def test_subscriptions_end_and_payments_and_courses_stay(api, leaver, learner):
    course = CourseFactory.create(owner=leaver)
    subscription = SubscriptionFactory.create(user=leaver)
    other = SubscriptionFactory.create(user=learner, course=course)
    payment = Payment.objects.create(
        payer=leaver,
        course=subscription.course,
        title="x",
        amount=1,
        currency="RUB",
        method=PaymentMethod.CASH,
    )
    assert erase(api, leaver).status_code == 204
    assert list(Subscription.objects.all()) == [other]
    payment.refresh_from_db()
    assert payment.payer_id == leaver.pk
    course.refresh_from_db()
    assert course.owner_id == leaver.pk


def test_the_email_can_register_anew_and_the_old_account_stays_closed(api, leaver):
    body = {"email": leaver.email, "password": PASSWORD}
    erase(api, leaver)
    log_in = api(None).post("auth/token", body)
    assert (log_in.status_code, log_in.json()["code"]) == (401, "invalid_credentials")
    registered = api(None).post("auth/register", body)
    assert registered.status_code == 201
    assert registered.json()["id"] != leaver.pk
    assert erase(api, User.objects.get(pk=registered.json()["id"])).status_code == 204


def test_the_last_administrator_stays(api, administrator):
    UserFactory.create(is_superuser=True, is_active=False)
    response = erase(api, administrator)
    assert (response.status_code, response.json()["code"]) == (409, "last_administrator")
    administrator.refresh_from_db()
    assert administrator.is_active
    UserFactory.create(is_superuser=True)
    assert erase(api, administrator).status_code == 204


def test_nothing_is_written_into_an_erased_account(leaver):
    """A request whose token was checked a moment before the erasure."""
    accounts.erase_account(user=User.objects.get(pk=leaver.pk))
    for late in (
        lambda: accounts.update_profile(user=leaver, changes={"city": "Atlantis"}),
        lambda: accounts.set_avatar(user=leaver, picture=picture()),
        lambda: accounts.erase_account(user=leaver),
    ):
        with pytest.raises(InvalidToken):
            late()
    erased = User.objects.get(pk=leaver.pk)
    assert (erased.city, erased.avatar.name) == ("", "")
