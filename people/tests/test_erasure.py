"""Leaving for good."""

from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.forms.models import model_to_dict
from django.utils import timezone
from PIL import Image

from lms.models import Subscription
from lms.tests.factories import CourseFactory, SubscriptionFactory
from payments.models import Payment, PaymentMethod
from people.errors import AccountErased, InvalidToken
from people.models import BlockReason, User
from people.models.users import moderators_group
from people.services import accounts
from people.tasks import erase_late_traces
from people.tests.factories import PASSWORD, UserFactory
from project.common.images import Picture
from project.mail.models import Delivery
from project.mail.services import send_to_one

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
    return Picture(encoded.getvalue(), (8, 8), None)


@pytest.fixture
def leaver(moderators):
    user = UserFactory.create(email="leopold@school.example", is_staff=True, **PERSONAL)
    user.groups.add(moderators_group())
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    return accounts.set_avatar(user=user, picture=picture())


def erase(api, user):
    return api(user).delete(f"users/{user.pk}")


def noted(kind, key, text):
    """An entry of the admin's log."""
    return LogEntry.objects.create(
        user=User.objects.earliest("pk"),
        content_type=ContentType.objects.get_for_model(kind),
        object_id=str(key),
        object_repr=text,
        action_flag=CHANGE,
    )


def test_nothing_personal_is_left(api, leaver, django_capture_on_commit_callbacks):
    avatar = leaver.avatar.name
    assert default_storage.exists(avatar)
    entry = noted(User, leaver.pk, str(leaver))
    with django_capture_on_commit_callbacks(execute=True):
        response = erase(api, leaver)
    assert (response.status_code, response.content) == (204, b"")
    assert not default_storage.exists(avatar)
    erased = User.objects.get(pk=leaver.pk)
    entry.refresh_from_db()
    assert entry.object_repr == str(leaver.pk)
    stored = f"{model_to_dict(erased)} {entry.object_repr}".lower()
    for text in [*PERSONAL.values(), "leopold", avatar]:
        assert text.lower() not in stored
    assert erased.email == f"erased-{leaver.pk}@erased.invalid"
    assert not erased.avatar
    assert not erased.has_usable_password()


def test_nothing_of_anybody_else_is_touched(
    api, leaver, learner, moderator, django_capture_on_commit_callbacks
):
    moderator.user_permissions.add(Permission.objects.get(codename="view_user"))
    moderator = accounts.set_avatar(user=moderator, picture=picture())
    SubscriptionFactory.create(user=moderator)
    entries = [noted(User, moderator.pk, "Mira"), noted(Permission, leaver.pk, "a permission")]
    before = list(User.objects.exclude(pk=leaver.pk).values())
    with django_capture_on_commit_callbacks(execute=True):
        assert erase(api, leaver).status_code == 204
    assert list(User.objects.exclude(pk=leaver.pk).values()) == before
    assert default_storage.exists(moderator.avatar.name)
    assert moderator.groups.count() == moderator.user_permissions.count() == 1
    assert moderator.subscriptions.count() == 1
    for entry in entries:
        text = entry.object_repr
        entry.refresh_from_db()
        assert entry.object_repr == text


@pytest.mark.parametrize("step", ['"lms_subscription"', 'UPDATE "django_admin_log"'])
def test_an_erasure_that_fails_has_erased_nothing(
    api, leaver, failing_at, django_capture_on_commit_callbacks, step
):
    SubscriptionFactory.create(user=leaver)
    before = User.objects.values().get(pk=leaver.pk)
    with failing_at(step), django_capture_on_commit_callbacks(execute=True):
        assert erase(api, leaver).status_code == 503
    assert User.objects.values().get(pk=leaver.pk) == before
    assert default_storage.exists(leaver.avatar.name)
    assert leaver.groups.count() == leaver.user_permissions.count() == 1


def test_staff_erases_whom_the_policy_allows_and_nobody_twice(api, support, leaver, administrator):
    blocked = UserFactory.create(blocked=True)
    for by, user in [(support, blocked), (administrator, administrator), (blocked, leaver)]:
        before = User.objects.values().get(pk=user.pk)
        UserFactory.create(is_superuser=True)
        with pytest.raises(PermissionDenied):
            accounts.erase_account(user=user, by=by)
        assert User.objects.values().get(pk=user.pk) == before
    accounts.erase_account(user=blocked, by=administrator)
    erased = User.objects.values().get(pk=blocked.pk)
    assert erased["blocked_reason"] == BlockReason.ERASED
    with pytest.raises(AccountErased):
        accounts.erase_account(user=blocked, by=administrator)
    assert User.objects.values().get(pk=blocked.pk) == erased


def test_all_rights_are_gone(api, leaver):
    UserFactory.create(is_superuser=True)
    User.objects.filter(pk=leaver.pk).update(is_superuser=True)
    erase(api, leaver)
    erased = User.objects.get(pk=leaver.pk)
    assert not erased.is_active
    assert not erased.is_staff
    assert not erased.is_superuser
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
    files = default_storage.listdir("avatars")[1]
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
    assert default_storage.listdir("avatars")[1] == files


def test_what_comes_late_is_deleted_the_night_after(api, leaver, learner):
    """The mail was with the server when the account was erased."""
    send_to_one("password_reset", leaver)
    send_to_one("password_reset", learner)
    Delivery.objects.update(claim=uuid4())
    erase(api, leaver)
    held = Delivery.objects.get(recipient=leaver)
    assert erase_late_traces() == {"traces_erased": 1}
    assert not Delivery.objects.filter(pk=held.pk).exists()
    assert Delivery.objects.filter(recipient=learner).exists()
    long_ago = timezone.now() - timedelta(days=4)
    User.objects.filter(pk=leaver.pk).update(blocked_at=long_ago)
    assert erase_late_traces() == {"traces_erased": 0}
