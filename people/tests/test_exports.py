"""A copy of all that is kept about a person: asked for, made by a worker, linked by mail, deleted."""

import json
import re
from datetime import timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from PIL import Image

from lms.models import Completion
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory
from people.models import BlockReason, PersonalExport, User
from people.models.exports import EXPORTS_KEPT, FOLDER, private_storage
from people.personal_data.registry import REGISTRY
from people.services import accounts, archive, exports
from people.tasks import forget_old_exports
from people.tests.factories import UserFactory
from project.common.admin.log import noted
from project.common.images import Picture

pytestmark = pytest.mark.django_db


def picture():
    encoded = BytesIO()
    Image.new("RGB", (8, 8)).save(encoded, "PNG")
    return Picture(encoded.getvalue(), (8, 8), None)


@pytest.fixture
def ask(api, run_worker):
    """Ask for the data of a person as themselves; return the address in the mail."""

    def link_for(person):
        mail.outbox.clear()
        assert run_worker(lambda: api(person).post("users/me/export")).status_code == 202
        (message,) = mail.outbox
        assert message.to == [person.email]
        found = re.search(r"https://parta\.school\.example(/exports/\S+)", str(message.body))
        assert found is not None
        return found[1]

    return link_for


def get(link) -> Any:
    """As whoever has the link, without a log-in."""
    response: Any = Client().get(link)
    response.whole = response.getvalue()
    return response


def files_in(link):
    """What is in the ZIP behind the link, JSON read, by name."""
    response = get(link)
    assert response.status_code == 200
    whole = ZipFile(BytesIO(response.whole))
    assert whole.testzip() is None
    return {
        name: json.loads(whole.read(name)) if name.endswith(".json") else whole.read(name)
        for name in whole.namelist()
    }


def stored():
    folders, _files = private_storage().listdir("")
    return set(private_storage().listdir(FOLDER)[1]) if FOLDER in folders else set()


def test_the_file_has_what_the_registry_says_and_nothing_of_others(
    ask, learner, author, administrator
):
    learner = accounts.set_avatar(user=learner, picture=picture())
    lesson = LessonFactory.create(course__title="Bread", course__owner=author)
    SubscriptionFactory.create(user=learner, course=lesson.course)
    Completion.objects.create(user=learner, lesson=lesson)
    Completion.objects.create(user=author, lesson=lesson)
    PaymentFactory.create(payer=learner, title="Cake", amount=5)
    PaymentFactory.create(payer=author, title="Foreign")
    own = CourseFactory.create(owner=learner, title="Own")
    LogEntry.objects.create(
        user=administrator,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(learner.pk),
        object_repr="Lev",
        action_flag=CHANGE,
        change_message=json.dumps([noted(gettext_lazy("Block"), "был груб")]),
    )

    files = files_in(ask(learner))

    tables = {f"{table.file}.json": table for table in REGISTRY if table.exported}
    named = files.keys() - {"README.txt", f"pictures/{learner.avatar}"}
    assert named <= tables.keys()
    for name in named:
        for row in files[name]:
            assert {*tables[name].exported} <= row.keys(), name
    assert "refunds.json" not in files
    (profile,) = files["profile.json"]
    assert profile["email"] == learner.email
    assert "password" not in profile
    with learner.avatar.open() as avatar:
        assert files[profile["avatar"]] == avatar.read()
    assert [row["course_title"] for row in files["subscriptions.json"]] == ["Bread"]
    assert [row["lesson"] for row in files["completed-lessons.json"]] == [lesson.pk]
    assert [(row["title"], row["amount"]) for row in files["payments.json"]] == [("Cake", "5.00")]
    assert [row["title"] for row in files["courses.json"]] == [own.title]
    assert [row["change_message"] for row in files["log.json"]] == ["Block: был груб"]
    about = files["README.txt"].decode()
    assert "profile.json: Your account" in about
    assert "payments.json: Payments" in about


def test_it_speaks_the_language_of_the_person(ask, api):
    person = UserFactory.create(language="ru")
    person.groups.create(name="readers")
    files = files_in(ask(person))
    assert "exports.json: Выгрузки личных данных" in files["README.txt"].decode()
    assert "groups.json: Группы" in files["README.txt"].decode()
    assert [row["group_name"] for row in files["groups.json"]] == ["readers"]
    assert mail.outbox[0].subject == "Ваши данные в школе «Parta»"


def test_the_link_needs_no_log_in_and_is_kept_by_nobody(ask, learner, settings):
    link = ask(learner)
    response = get(link)
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Robots-Tag"] == "noindex"
    export = PersonalExport.objects.get()
    token = link.strip("/").rpartition("/")[2]
    for other in (token[:-1], f"{token}x", export.pk.hex, str(export.pk), f"{export.pk.hex}:x"):
        assert get(reverse("export", args=[other])).status_code == 404
    assert Client().post(link).status_code == 405
    # The file lies where nothing is served from.
    assert not default_storage.exists(export.file)
    assert Client().get(f"/media/{export.file}").status_code == 404
    assert stored() >= {f"{export.pk.hex}.zip"}


def test_the_link_and_the_file_end_after_seven_days(ask, learner):
    with time_machine.travel(timezone.now() - EXPORTS_KEPT + timedelta(minutes=1), tick=False):
        link = ask(learner)
    forget_old_exports()
    assert get(link).status_code == 200
    PersonalExport.objects.update(ready_at=timezone.now() - EXPORTS_KEPT)
    gone = get(link)
    assert gone.status_code == 404
    assert 'href="https://school.example/profile"' in gone.content.decode()
    before = stored()
    assert forget_old_exports() == {"exports_forgotten": 1}
    assert len(before - stored()) == 1
    assert not PersonalExport.objects.exists()


def test_files_that_belong_to_nothing_are_deleted(ask, learner):
    link = ask(learner)
    private_storage().save(f"{FOLDER}/orphan.zip", BytesIO(b"x"))
    forget_old_exports()
    assert "orphan.zip" not in stored()
    assert get(link).status_code == 200


def test_one_at_a_time_and_a_new_one_ends_the_last(ask, api, learner, stranger, run_worker):
    assert api(learner).post("users/me/export").status_code == 202
    again = api(learner).post("users/me/export")
    assert (again.status_code, again.json()["code"]) == (409, "export_running")
    assert api(stranger).post("users/me/export").status_code == 202
    # One that was never made stands in nobody's way.
    an_hour_ago = timezone.now() - timedelta(hours=1)
    PersonalExport.objects.update(requested_at=an_hour_ago)
    first = ask(learner)
    before = stored()
    second = ask(learner)
    assert (get(first).status_code, get(second).status_code) == (404, 200)
    assert len(before - stored()) == 1


def test_requests_are_throttled(api, learner, run_worker, settings):
    settings.THROTTLE_EXPORTS = "2/d"
    statuses = [
        run_worker(lambda: api(learner).post("users/me/export")).status_code for _try in range(3)
    ]
    assert statuses == [202, 202, 429]


def test_a_task_that_runs_twice_sends_one_mail(api, learner, run_worker):
    run_worker(lambda: api(learner).post("users/me/export"))
    assert not exports.make_export(str(PersonalExport.objects.get().pk))
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("state", ["ready", "waiting", "being made"])
def test_an_erasure_takes_the_file_with_it(
    ask, api, learner, state, run_worker, monkeypatch, django_capture_on_commit_callbacks
):
    def erase():
        with django_capture_on_commit_callbacks(execute=True):
            assert api(learner).delete(f"users/{learner.pk}").status_code == 204

    before = stored()
    if state == "ready":
        ask(learner)
    else:
        exports.request_export(user=learner)
        export = PersonalExport.objects.get()
    mail.outbox.clear()
    if state == "being made":
        write = archive.write_archive
        monkeypatch.setattr(
            exports, "write_archive", lambda *arguments: (write(*arguments), erase())
        )
        assert not exports.make_export(str(export.pk))
    else:
        erase()
        if state == "waiting":
            assert not exports.make_export(str(export.pk))
    assert stored() == before
    assert not PersonalExport.objects.exists()
    assert mail.outbox == []


def test_staff_sends_it_to_the_person(client_of, support, learner, run_worker):
    address = reverse("admin:people_user_export_data", args=[learner.pk])
    answer = run_worker(lambda: client_of(support).post(address, {"confirm": "1"}))
    assert answer.status_code == 302
    assert [message.to for message in mail.outbox] == [[learner.email]]
    entry = LogEntry.objects.get(object_id=str(learner.pk))
    assert entry.get_change_message() == "Export data"


def test_who_is_blocked_gets_it_from_staff_only(api, client_of, support, run_worker):
    person = UserFactory.create(blocked=True)
    assert api(person).post("users/me/export").status_code == 401
    address = reverse("admin:people_user_export_data", args=[person.pk])
    run_worker(lambda: client_of(support).post(address, {"confirm": "1"}))
    assert [message.to for message in mail.outbox] == [[person.email]]


def test_support_exports_no_colleagues_and_nobody_who_was_erased(
    client_of, support, moderator, administrator
):
    erased = UserFactory.create(erased=True)
    assert erased.blocked_reason == BlockReason.ERASED
    for person, client in (
        (moderator, client_of(support)),
        (erased, client_of(support)),
        (erased, client_of(administrator)),
    ):
        address = reverse("admin:people_user_export_data", args=[person.pk])
        assert client.post(address, {"confirm": "1"}).status_code == 403
    assert not PersonalExport.objects.exists()


def test_rows_are_read_a_page_at_a_time(learner, monkeypatch):
    course = CourseFactory.create(owner=learner)
    LessonFactory.create_batch(7, course=course)
    monkeypatch.setattr(archive, "PAGE", 3)
    file = BytesIO()
    with CaptureQueriesContext(connection) as queries:
        archive.write_archive(learner, file)
    lessons = json.loads(ZipFile(file).read("lessons.json"))
    assert len({row["pk"] for row in lessons}) == 7
    reads = [query["sql"] for query in queries if 'FROM "lms_lesson"' in query["sql"]]
    assert len(reads) == 4
    assert all("LIMIT 3" in sql for sql in reads)


def test_nothing_is_sent_to_an_email_that_is_not_confirmed(
    api, client_of, support, learner, run_worker
):
    User.objects.filter(pk=learner.pk).update(email_confirmed_at=None)
    answer = run_worker(lambda: api(learner).post("users/me/export"))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_unconfirmed")
    address = reverse("admin:people_user_export_data", args=[learner.pk])
    page = client_of(support).post(address, {"confirm": "1"}, follow=True)
    assert "must be confirmed first" in page.text
    assert not PersonalExport.objects.exists()
    assert mail.outbox == []
