"""Exchanging SECRET_KEY (docs/operations.md, Rotate keys): what was signed before stays good while the
old key is a fallback, and what is signed from then on needs the new one only."""

from collections.abc import Callable

import pytest
from django.core import mail
from django.utils.crypto import get_random_string
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage

from lms.mails import unsubscribe_token
from lms.models import Subscription
from lms.tests.factories import SubscriptionFactory
from people.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def exchange_key(settings, monkeypatch) -> Callable[..., None]:
    def exchange(*, keep: bool = True) -> None:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keep else []
        settings.SECRET_KEY = get_random_string(50)
        monkeypatch.setattr(Conf, "SECRET_KEY", settings.SECRET_KEY)

    return exchange


def status_with(api, access: str) -> int:
    response = api(None).get("users/me", headers={"Authorization": f"Bearer {access}"})
    return int(response.status_code)


def test_tokens_stay_good_and_new_ones_need_the_new_key_only(
    api, learner, settings, exchange_key
) -> None:
    body = {"email": learner.email, "password": PASSWORD}
    old = api(None).post("auth/token", body).json()
    exchange_key()
    assert status_with(api, old["access"]) == 200
    for token in old["access"], old["refresh"]:
        assert api(None).post("auth/token/verify", {"token": token}).status_code == 204
    new = api(None).post("auth/token/refresh", {"refresh": old["refresh"]}).json()
    settings.SECRET_KEY_FALLBACKS = []
    assert status_with(api, old["access"]) == 401
    assert status_with(api, new["access"]) == 200
    assert api(None).post("auth/token/refresh", {"refresh": new["refresh"]}).status_code == 200


@pytest.mark.parametrize(("keep", "status"), [(True, 204), (False, 409)])
def test_link_for_a_password_stays_good(api, learner, link_by_mail, exchange_key, keep, status):
    link = link_by_mail("password/reset", learner)
    exchange_key(keep=keep)
    body = link | {"new_password": "another horse battery"}
    assert api(None).post("auth/password/reset/confirm", body).status_code == status


@pytest.mark.parametrize(("keep", "left"), [(True, 0), (False, 1)])
def test_link_that_unsubscribes_stays_good(client, exchange_key, keep, left) -> None:
    subscription = SubscriptionFactory.create()
    token = unsubscribe_token(subscription.user, subscription.course_id)
    exchange_key(keep=keep)
    client.post(f"/unsubscribe/{token}/")
    assert Subscription.objects.count() == left


def test_session_of_the_admin_goes_on_and_is_signed_anew(
    client_of, moderator, settings, exchange_key
) -> None:
    browser = client_of(moderator)
    exchange_key()
    assert browser.get("/admin/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert browser.get("/admin/").status_code == 200


def test_session_ends_without_the_old_key(client_of, moderator, exchange_key) -> None:
    browser = client_of(moderator)
    exchange_key(keep=False)
    assert browser.get("/admin/").status_code == 302


@pytest.fixture
def queued_mail(api, learner, django_capture_on_commit_callbacks) -> Callable[[], None]:
    def ask() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            api(None).post("auth/password/reset", {"email": learner.email})
        assert OrmQ.objects.exists()

    return ask


def test_mail_that_waits_in_the_queue_is_sent(learner, queued_mail, exchange_key, run_worker):
    queued_mail()
    run_worker(exchange_key)
    assert [message.to for message in mail.outbox] == [[learner.email]]


def test_task_that_another_key_signed_is_not_read(queued_mail, exchange_key):
    queued_mail()
    exchange_key(keep=False)
    with pytest.raises(BadSignature):
        SignedPackage.loads(OrmQ.objects.get().payload)
