"""The picture of a person, through the API."""

from io import BytesIO

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from PIL import Image

pytestmark = pytest.mark.django_db


def picture(kind="PNG", size=(30, 20)):
    encoded = BytesIO()
    Image.new("RGB", size, "teal").save(encoded, kind)
    return encoded.getvalue()


def upload(api, user, content, name="holiday.png"):
    return api(user).upload("users/me/avatar", content, name=name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_avatar_is_stored_under_a_random_name(api, learner, stranger, kind):
    response = upload(api, learner, picture(kind), name="../holiday.php")
    assert response.status_code == 200
    assert response.json()["email"] == learner.email
    learner.refresh_from_db()
    assert learner.avatar.name.startswith("avatars/")
    assert learner.avatar.name.endswith("-20x20.webp")
    assert "holiday" not in learner.avatar.name
    public = api(stranger).get(f"users/{learner.pk}").json()
    assert public["avatar"] == response.json()["avatar"]
    assert public["avatar"]["url"] == f"{settings.SITE_URL}{learner.avatar.url}"


def test_avatar_is_square_at_most_512_wide_with_a_thumbnail_of_96(api, learner):
    shown = upload(api, learner, picture(size=(1000, 600))).json()["avatar"]
    assert (shown["width"], shown["height"]) == (512, 512)
    with default_storage.open(shown["thumbnail"].partition("/media/")[2]) as file:
        assert Image.open(file).size == (96, 96)


def test_replaced_and_removed_avatar_leaves_the_storage(
    api, learner, stranger, django_capture_on_commit_callbacks
):
    upload(api, stranger, picture())
    with django_capture_on_commit_callbacks(execute=True):
        upload(api, learner, picture())
        learner.refresh_from_db()
        first = learner.avatar.name
        upload(api, learner, picture())
    learner.refresh_from_db()
    second = learner.avatar.name
    assert not default_storage.exists(first)
    assert default_storage.exists(second)
    with django_capture_on_commit_callbacks(execute=True):
        assert api(learner).delete("users/me/avatar").status_code == 204
        assert api(learner).delete("users/me/avatar").status_code == 204
    assert not default_storage.exists(second)
    assert api(learner).get("users/me").json()["avatar"] is None
    stranger.refresh_from_db()
    assert default_storage.exists(stranger.avatar.name)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", None),
        (b"GIF89a" + b"\0" * 40, None),
        (b"", None),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, None),
        (b"x" * (5 * 1024 * 1024 + 1), "image_too_large"),
    ],
)
def test_what_is_no_picture_is_refused_as_the_file(api, learner, content, code):
    response = upload(api, learner, content)
    assert response.status_code == 422
    error = response.json()["errors"][0]
    assert error["loc"][-1] == "file"
    assert error["code"] == (code or error["code"])
    learner.refresh_from_db()
    assert not learner.avatar


def test_body_without_a_file_or_of_another_kind_is_refused(api, learner):
    assert api(learner).put("users/me/avatar", {"file": "x"}).status_code == 415
    other = api(learner).client.put(
        "/api/v1/users/me/avatar",
        data="--b\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--b--\r\n",
        content_type="multipart/form-data; boundary=b",
        headers={"Authorization": upload_authorization(api, learner)},
    )
    assert other.status_code == 422


def upload_authorization(api, user):
    pair = api(None).post(
        "auth/token", {"email": user.email, "password": "correct horse battery staple"}
    )
    return f"Bearer {pair.json()['access']}"
