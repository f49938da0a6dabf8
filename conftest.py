"""Fixtures for all apps: named people, a client that speaks the API as each of them, a browser."""

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import playwright.sync_api as playwright
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.dispatch import receiver
from django.template import Context, Template
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.test.signals import setting_changed, template_rendered
from django.utils import translation
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from people.models import User
from people.models.users import moderators_group
from people.tests.factories import UserFactory
from people.tokens import issue_access_token
from project.common import chosen_pictures
from project.common.kept_files import TABLES
from project.school.current import forget_school, kept
from project.school.models import School
from project.tests import documented
from project.tests.emptying import quick_emptying
from project.translations import compile_catalogues

# Fuzzing by thousands: `pytest --hypothesis-profile thorough FILE`.
hypothesis.settings.register_profile(
    "thorough",
    max_examples=100_000,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


def pytest_sessionstart() -> None:
    """Compiled translations are not committed, and a fresh clone has none."""
    compile_catalogues()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only", action="store_true", help="leave out what says nothing of the database"
    )
    parser.addoption(
        "--pictures", metavar="FOLDER", help="keep pictures of mails and public pages there"
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite takes all processors; for files that are named, a second process would take
    longer to start than it saves."""
    whole_suite = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return os.cpu_count() or 1 if whole_suite else 0


# Tests that ask for these take seconds.
SLOW_FIXTURES = {"own_processes", "page", "server"}
# Processes of their own have an SQLite file of their own, whatever the database of the run is.
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "page"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs PostgreSQL where it is not there. Each process begins with its share of the
    slow tests, so that all end at the same time."""
    if config.getoption("--database-only"):
        left_out = [item for item in items if not uses_database(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if uses_database(item)]
    for item in items:
        if connection.vendor != "postgresql" and item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.skip("needs PostgreSQL"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if SLOW_FIXTURES & set(getattr(item, "fixturenames", ()))]
    quick = [item for item in items if SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))]
    size = -(-len(quick) // processes)
    items[:] = [
        item
        for number in range(processes)
        for item in (*slow[number::processes], *quick[number * size : (number + 1) * size])
    ]


def pytest_collection_finish() -> None:
    """Thousands of tests are there to the end: to look for garbage among them again and again would
    take a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What passed tests tell by `record_property`, in whichever process they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, told in report.user_properties:
            terminalreporter.write_line(f"{name}: {told}")


def uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("any_database"):
        return False
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES)


def require_or_skip(found: object, what: str) -> None:
    """Skip the test where the machine lacks `what`; in CI that is a failure."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI has to have {what}")
    pytest.skip(f"there is no {what} here")


pytest_plugins = ["project.mail.tests.sink"]


@pytest.fixture(scope="session")
def migrated_copy(request: pytest.FixtureRequest) -> Path | None:
    """Where a run keeps an empty SQLite database for the next one, as long as the migrations are the
    same: to run all of them takes longer than most files of tests."""
    cache = getattr(request.config, "cache", None)
    if connection.vendor != "sqlite" or cache is None:
        return None
    root = request.config.rootpath
    written = sha256((root / "uv.lock").read_bytes())
    for file in sorted([*root.glob("*/migrations/*.py"), *root.glob("*/*/migrations/*.py")]):
        written.update(file.read_bytes())
    kept: Path = cache.mkdir("migrated") / f"{written.hexdigest()}.sqlite3"
    return kept


@pytest.fixture(scope="session")
def django_db_keepdb(
    request: pytest.FixtureRequest,
    django_db_modify_db_settings: None,
    migrated_copy: Path | None,
) -> bool:
    if migrated_copy is None or not migrated_copy.exists():
        return bool(request.config.getoption("reuse_db"))
    shutil.copyfile(migrated_copy, connection.settings_dict["TEST"]["NAME"])
    return True


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: Any, migrated_copy: Path | None
) -> Iterator[None]:
    with django_db_blocker.unblock(), quick_emptying():
        if migrated_copy and not migrated_copy.exists():
            for outdated in migrated_copy.parent.glob("*.sqlite3"):
                outdated.unlink(missing_ok=True)
            with TemporaryDirectory(dir=migrated_copy.parent) as folder:
                made = Path(folder, "made.sqlite3")
                with connection.cursor() as cursor:
                    cursor.execute("VACUUM INTO %s", [str(made)])
                made.replace(migrated_copy)
        yield


@pytest.fixture(scope="session", autouse=True)
def _pages_not_their_parts(django_test_environment: None) -> Iterator[None]:
    """Django's client keeps a copy of the context of each template that is rendered. A page of the
    admin has a hundred, and `response.context` is asked for what the page itself was given."""

    def render(template: Template, context: Context) -> str:
        if context.template is template:
            template_rendered.send(sender=template, template=template, context=context)
        return template.nodelist.render(context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "_render", render)
        yield


class ApiClient:
    """Calls the API with JSON, as one person or as nobody. Each answer is held against the OpenAPI
    document, as those of all others who call it are: project/tests/documented.py."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **options: Any) -> Any:
        return self._call("get", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("post", path, body=body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("put", path, body=body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._call("patch", path, body=body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self._call("delete", path, **options)

    def upload(
        self, path: str, content: bytes, *, name: str = "picture.jpg", **options: Any
    ) -> Any:
        """PUT a form with one part named `file`."""
        form = {"file": SimpleUploadedFile(name, content)}
        options |= {"data": encode_multipart(BOUNDARY, form), "content_type": MULTIPART_CONTENT}
        return self._call("put", path, **options)

    def _call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if self.user is not None:
            headers.setdefault("Authorization", f"Bearer {issue_access_token(self.user)}")
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        send = getattr(self.client, method)
        return send(f"/api/v1/{path}", headers=headers, **options)


@pytest.fixture(autouse=True)
def _documented_answers() -> Iterator[None]:
    """What the API answered in the test is as the OpenAPI document says."""
    yield
    found = documented.faults.copy()
    documented.faults.clear()
    assert found == []


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _no_kept_files() -> None:
    """Those of other tests may be of people with the same keys, and of another time."""
    for folder in (chosen_pictures.FOLDER, TABLES.folder):
        shutil.rmtree(Path(settings.PRIVATE_ROOT, folder), ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_school() -> None:
    """No process has forgotten that nothing is said of the school: no test pays the query."""
    kept.keep(School(), inf)


@receiver(setting_changed)
def _see_settings(**of_signal: Any) -> None:
    """Settings change in tests only."""
    if kept.until == inf:
        kept.keep(School(), inf)
    else:
        forget_school()


@pytest.fixture(autouse=True)
def _own_language() -> None:
    """A request in Russian leaves its language behind in the thread."""
    translation.deactivate()


@pytest.fixture
def api() -> Callable[[User | None], ApiClient]:
    """The API as somebody: `api(author).get("courses")`, `api(None)` for anonymous."""
    return ApiClient


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    """The admin as somebody: `client_of(moderator).get("/admin/")`, `client_of(None)` for anonymous."""

    def log_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return log_in


@pytest.fixture
def support(db: None) -> User:
    """Staff who look after people and payments, without being administrators."""
    user = UserFactory.create(first_name="Sonja", is_staff=True)
    rights = ["view_user", "change_user", "view_payment", "confirm_payment", "refund_payment"]
    rights += ["view_access", "add_access", "change_access"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


@pytest.fixture
def author(db: None) -> User:
    return UserFactory.create(first_name="Anna")


@pytest.fixture
def learner(db: None) -> User:
    return UserFactory.create(first_name="Lev")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory.create(first_name="Stepan")


@pytest.fixture
def moderator(moderators: None) -> User:
    user = UserFactory.create(first_name="Mira", is_staff=True)
    user.groups.add(moderators_group())
    return user


@pytest.fixture
def administrator(db: None) -> User:
    return UserFactory.create(first_name="Ada", is_staff=True, is_superuser=True)


@pytest.fixture
def moderators(db: None) -> None:
    """The groups as they are shipped, without the time that `loaddata` takes."""
    shipped = json.loads(Path(settings.BASE_DIR, "fixtures/groups.json").read_text())
    fields = [row["fields"] for row in shipped]
    natural_key = "codename", "content_type__app_label", "content_type__model"
    found = {tuple(key): pk for pk, *key in Permission.objects.values_list("pk", *natural_key)}
    groups = Group.objects.bulk_create([Group(name=one["name"]) for one in fields])
    through = Group.permissions.through
    through.objects.bulk_create(
        through(group=group, permission_id=found[tuple(key)])
        for group, one in zip(groups, fields, strict=True)
        for key in one["permissions"]
    )


BROWSER = shutil.which("chromium")
# Chromium's own traffic is no business of the tests, and CI may run as root.
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.Browser]:
    require_or_skip(BROWSER, "Chromium")
    with pytest.MonkeyPatch.context() as patch, playwright.sync_playwright() as driver:
        # Playwright keeps an event loop in this thread, so that Django takes it for asynchronous.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = driver.chromium.launch(executable_path=BROWSER, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def allowed_hosts(live_server: Any) -> set[str]:
    """With their ports; a test whose pages lead elsewhere adds to them."""
    return {urlsplit(live_server.url).netloc, "www.youtube-nocookie.com"}


@pytest.fixture
def page(
    browser: playwright.Browser, live_server: Any, allowed_hosts: set[str]
) -> Iterator[playwright.Page]:
    """A page of the browser, with `live_server` as its site. The test fails if the page writes an
    error to the console, raises one, or asks another host for anything but a video. What the API
    refuses or can't be asked, Chromium itself writes to the console, whatever the page makes of it:
    that is no fault."""
    faults: list[str] = []

    def note_request(request: playwright.Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.netloc not in allowed_hosts:
            faults.append(f"request to {request.url}")

    def note_message(message: playwright.ConsoleMessage) -> None:
        refused = "/api/v1/" in message.location["url"] and "status of 500" not in message.text
        if message.type in {"error", "warning"} and not refused:
            faults.append(f"console: {message.text}")

    context = browser.new_context(
        base_url=live_server.url, locale="en-GB", viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("request", note_request)
    page.on("console", note_message)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def enter(page: playwright.Page, live_server: Any) -> Callable[[User], None]:
    """Be logged in without the form, in tests that begin behind it."""

    def take_session(user: User) -> None:
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        session = client.cookies[name].value
        page.context.add_cookies([{"name": name, "value": session, "url": live_server.url}])

    return take_session


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Callable[[playwright.Page, str], None]:
    """Keep a picture of the page in the folder that `--pictures` names."""
    folder = request.config.getoption("--pictures")

    def keep(page: playwright.Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return keep


class Ticks:
    """The machine's clock, as told. It is not the time of day, which `time_machine` sets."""

    now = 1000.0


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    ticks = Ticks()
    monkeypatch.setattr("time.monotonic", lambda: ticks.now)
    return ticks


@pytest.fixture
def run_worker(django_capture_on_commit_callbacks) -> Callable[[Callable[[], Any]], Any]:
    """Call something, then do in its place what it left to the worker; return what it returned."""

    def run(call: Callable[[], Any]) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            result = call()
        while queued := OrmQ.objects.order_by("pk").first():
            task = queued.task
            with django_capture_on_commit_callbacks(execute=True):
                import_string(task["func"])(*task["args"])
            queued.delete()
        return result

    return run
