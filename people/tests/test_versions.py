"""Nobody's edit of a profile is lost."""

import pytest

from people.models import User

pytestmark = pytest.mark.django_db


def test_an_edit_of_a_profile_that_has_changed_meanwhile_is_refused(api, learner):
    client, path = api(learner), f"users/{learner.pk}"
    seen = {"If-Match": client.get("users/me")["ETag"]}
    first = client.patch(path, {"city": "Kazan"}, headers=seen)
    assert first.status_code == 200
    late = client.patch(path, {"city": "Omsk"}, headers=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert client.delete(path, headers=seen).status_code == 412
    assert client.delete("users/me/avatar", headers=seen).status_code == 412
    learner.refresh_from_db()
    assert (learner.city, learner.is_active) == ("Kazan", True)
    now = {"If-Match": first["ETag"]}
    assert client.delete("users/me/avatar", headers=now).status_code == 204
    assert client.delete(path, headers=now).status_code == 204


def test_both_ways_to_one_s_own_profile_have_the_tag_that_a_change_answers(api, learner):
    client = api(learner)
    tag = client.get("users/me")["ETag"]
    assert client.get(f"users/{learner.pk}")["ETag"] == tag
    assert client.get("users/me", headers={"If-None-Match": tag}).status_code == 304
    changed = client.patch(f"users/{learner.pk}", {"city": "Kazan"})
    assert changed["ETag"] == client.get("users/me")["ETag"] != tag


def test_a_log_in_makes_no_edit_foreign(api, learner):
    client = api(learner)
    seen = {"If-Match": client.get("users/me")["ETag"]}
    User.objects.filter(pk=learner.pk).update(last_login="2030-01-01T00:00:00Z")
    assert client.patch(f"users/{learner.pk}", {"city": "Omsk"}, headers=seen).status_code == 200
