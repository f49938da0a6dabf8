"""Whatever is asked, nothing under /api/ answers with anything but a problem document."""

import json
import threading
from io import BytesIO

import pytest
from django.db import InterfaceError, OperationalError, connection, connections
from django.test import Client

from lms.models import Course
from lms.tests.factories import CourseFactory
from payments.tests.factories import PaymentFactory
from people.tokens import issue_access_token

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

JSON = "application/json"
MEGABYTE = 1024 * 1024


def assert_problem(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert body["title"]
    assert body["detail"]
    return body


@pytest.fixture
def send(author):
    """Send raw bytes as the author."""

    def send(path, content, *, method="POST", content_type=JSON, **options):
        return Client(raise_request_exception=False).generic(
            method,
            f"/api/v1/{path}",
            content,
            content_type=content_type,
            headers={"Authorization": f"Bearer {issue_access_token(author)}"},
            **options,
        )

    return send


def chunks(content):
    """A body as Gunicorn hands it on that came in chunks: without a length, but with an end."""
    return {"CONTENT_LENGTH": "", "wsgi.input": BytesIO(content), "wsgi.input_terminated": True}


# --- Addresses and methods ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["", "nothing", "courses/", "courses/abc", "courses/-1", "courses/1/2", "../api/v1/%00",
     "courses/%00", "courses/1%00", "%ff", "courses/%D1%84", "x" * 3000],
)  # fmt: skip
def test_unknown_path_is_a_problem(api, author, path):
    assert_problem(api(author).get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "BREW"])
@pytest.mark.parametrize("address", ["/api/v1", "/api/v1/"])
def test_there_is_nothing_at_the_root_whatever_the_method(author, settings, method, address):
    settings.DEBUG = True  # Django refuses to redirect what is no GET, but then only
    response = Client(raise_request_exception=False, enforce_csrf_checks=True).generic(
        method, address
    )
    assert_problem(response, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "courses", {"GET", "POST"}),
        ("DELETE", "courses", {"GET", "POST"}),
        ("POST", "courses/1", {"GET", "PATCH", "DELETE"}),
        ("TRACE", "courses/1", {"GET", "PATCH", "DELETE"}),
        ("BREW", "subscriptions", {"GET"}),
        ("OPTIONS", "subscriptions", {"GET"}),
    ],
)
def test_wrong_method_is_a_problem_that_says_which_are_right(send, method, path, allowed):
    response = send(path, b"", method=method)
    assert_problem(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "not_authenticated"),
        ("Basic YTpi", "not_authenticated"),
        ("Bearer", "invalid_token"),
        ("Bearer x", "invalid_token"),
        ("Bearer a.b.c", "invalid_token"),
        ("Bearer \x00", "invalid_token"),
        ("Bearer ÿ", "invalid_token"),
    ],
)
def test_a_token_that_is_none_is_a_problem_that_says_what_is_expected(api, header, code):
    response = api(None).get("courses", headers={"Authorization": header})
    assert_problem(response, 401, code)
    assert response["WWW-Authenticate"] == "Bearer"


# --- Bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"title",
        b"{'title': 'x'}",
        b'{"title": "x",}',
        b'{"title": "x"} {}',
        b"\xff\xfe\x00",
        b'{"title": "\xff"}',
        b'{"title": "x\x00y"}',
        b'\xef\xbb\xbf{"title": "x"}',
        b'{"title": "x", "price": NaN}',
        b'{"title": "x", "price": -Infinity}',
        b'{"title": "x", "title": "y"}',
        b'{"title": "x", "price": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"title":' * 20_000 + b"1" + b"}" * 20_000,
    ],
    ids=range(16),
)
def test_a_body_that_is_no_json_is_a_problem(send, content):
    assert_problem(send("courses", content), 400, "bad_request")
    assert not Course.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        1,
        True,
        {},
        {"title": None},
        {"title": 1},
        {"title": True},
        {"title": ["x"]},
        {"title": {"x": 1}},
        {"title": "x", "price": "1e400"},
        {"title": "x", "price": "NaN"},
        {"title": "x", "price": "Infinity"},
        {"title": "x", "price": 10**40},
        {"title": "x", "price": 1e308},
        {"title": "x", "price": -1},
        {"title": "x", "price": True},
        {"title": "x", "price": "٣"},
        {"title": "x", "price": "1_0"},
        {"title": "x", "price": "1e1"},
        {"title": "x", "is_published": "maybe"},
        {"title": "x", "is_published": 2**70},
        {"title": "x", "description": None},
        {"title": "x", "id": 1},
        {"title": "x", "": 1},
        {"title": "x", "payload": 1},
        {"title": "x", "options": 1},
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"title": "\udc00\ud800"},
        {"title": "x", "description": "a\x00b"},
        {"title": "x", "description": "\udfff"},
        {"title": "x", "\x00": 1},
        {"title": "x", "\ud800": 1},
        {"title": " \t\u3000"},
    ],
    ids=range(36),
)
def test_a_body_of_wrong_values_is_a_problem_that_names_them(send, body):
    response = send("courses", json.dumps(body).encode())
    problem = assert_problem(response, 422, "validation_error")
    assert {error["loc"][0] for error in problem["errors"]} == {"body"}
    assert all(error["code"] and error["msg"] for error in problem["errors"])
    assert not Course.objects.exists()


def test_odd_but_whole_text_is_stored_as_it_came(send):
    title = "é 🎓 \u0301\ufeff\U0010ffff\uffff"
    response = send("courses", json.dumps({"title": title}).encode())
    assert response.status_code == 201, response.content
    assert Course.objects.get().title == title


def test_nested_values_are_refused_however_deep(send):
    for depth in (10, 200, 900):
        body = b'{"title": ' + b"[" * depth + b"]" * depth + b"}"
        assert_problem(send("courses", body), 422, "validation_error")


@pytest.mark.parametrize("field", ["payload", "options", "filters", "file"])
def test_an_unknown_field_is_named_even_if_an_argument_of_ours_has_that_name(send, field):
    response = send("courses", json.dumps({"title": "x", field: 1}).encode())
    errors = assert_problem(response, 422, "validation_error")["errors"]
    assert [(error["loc"], error["code"]) for error in errors] == [
        (["body", field], "extra_forbidden")
    ]


def test_a_flood_of_wrong_fields_gets_a_short_answer(send):
    body = {f"field{number}": 1 for number in range(1000)}
    response = send("courses", json.dumps(body).encode())
    assert len(assert_problem(response, 422, "validation_error")["errors"]) == 100
    assert_problem(send("courses", json.dumps(body | {"one": 1}).encode()), 400, "bad_request")


@pytest.mark.parametrize("items", [[0] * 10_000, ["a"] * 10_000, [{"a": 1}] * 10_000], ids=range(3))
def test_of_a_list_of_wrong_values_the_first_is_told(send, author, items):
    course = CourseFactory.create(owner=author)
    body = json.dumps({"lesson_ids": items}).encode()
    response = send(f"courses/{course.pk}/lessons/order", body, method="PUT")
    errors = assert_problem(response, 422, "validation_error")["errors"]
    assert [error["loc"] for error in errors] == [["body", "lesson_ids", 0]]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ["auth/token", "auth/register", "payments"])
def test_an_operation_without_texts_reads_no_more_than_64_kib(send, path, streamed):
    for size, status in ((65_536, 422), (65_537, 413)):
        content = json.dumps({"x": "x" * (size - 9)}).encode()
        assert len(content) == size
        response = send(path, content, **(chunks(content) if streamed else {}))
        assert response.status_code == status, response.content


def test_texts_of_full_length_are_read_however_they_are_spelled(send, author):
    content = json.dumps({"title": "😀" * 200, "description": "😀" * 20_000}).encode()
    assert len(content) > 240_000
    assert send("courses", content).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "nonsense",
     "application/json-patch+json", "multipart/form-data; boundary=x"],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", "courses"), ("PATCH", "courses/{}")])
def test_another_content_type_is_a_problem(send, author, content_type, method, path):
    course = CourseFactory.create(owner=author, title="Before")
    response = send(
        path.format(course.pk), b'{"title": "x"}', method=method, content_type=content_type
    )
    assert_problem(response, 415, "unsupported_media_type")
    assert list(Course.objects.values_list("title", flat=True)) == ["Before"]


@pytest.mark.parametrize("content_type", [JSON, "text/plain", "image/png", ""])
def test_a_picture_comes_in_a_form_only(send, author, content_type):
    course = CourseFactory.create(owner=author)
    path = f"courses/{course.pk}/preview"
    response = send(path, b"{}", method="PUT", content_type=content_type)
    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"nothing"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x--"),
    ],
)
def test_a_broken_form_is_a_problem(send, author, content_type, content, caplog):
    course = CourseFactory.create(owner=author)
    path = f"courses/{course.pk}/preview"
    with caplog.at_level("INFO", "project.access"):
        response = send(path, content, method="PUT", content_type=content_type)
    assert response.status_code in {400, 422}
    assert response["Content-Type"] == "application/problem+json"
    assert [line.method for line in caplog.records if line.name == "project.access"] == ["PUT"]


@pytest.mark.parametrize(
    ("content_type", "size"),
    [
        (JSON, 3 * MEGABYTE),
        ("application/x-www-form-urlencoded", 3 * MEGABYTE),
        ("multipart/form-data; boundary=x", 6 * MEGABYTE),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_too_large_a_body_is_a_problem(send, author, content_type, size, streamed):
    course = CourseFactory.create(owner=author)
    stream = chunks(b" " * size) if streamed else {}
    response = send(
        f"courses/{course.pk}/preview",
        b" " * size,
        method="PUT",
        content_type=content_type,
        **stream,
    )
    assert_problem(response, 413, "body_too_large")


def test_too_large_a_field_of_a_form_is_a_problem(send, author):
    course = CourseFactory.create(owner=author)
    field = b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n%b\r\n--x--\r\n'
    response = send(
        f"courses/{course.pk}/preview",
        field % (b"a" * 3 * MEGABYTE),
        method="PUT",
        content_type="multipart/form-data; boundary=x",
    )
    assert_problem(response, 413, "body_too_large")


def test_a_body_that_comes_in_chunks_is_read(send):
    body = b'{"title": "In chunks"}'
    response = send("courses", body, **chunks(body))
    assert response.status_code == 201, response.content
    assert Course.objects.get().title == "In chunks"


def test_a_connection_that_breaks_while_the_body_is_read_is_no_failure_of_ours(send):
    class Broken(BytesIO):
        def read(self, *args):
            raise OSError("connection reset")

    response = send("courses", b"{}", **{"wsgi.input": Broken()})
    assert_problem(response, 400, "bad_request")


# --- What only a server can be sent --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "headers", "body", "status"),
    [
        ("GET /api/v1/courses?search=" + "x" * 9000, "", "", 414),
        ("GET /api/v1/courses", "Authorization: Bearer " + "x" * 9000, "", 431),
        ("GET /api/v1/courses", "Authorization: \x7f", "", 400),
        ("GET /api/v1/cours\xe9s", "", "", 400),
        ("POST /api/v1/auth/token", "Content-Length: many", "", 400),
        ("POST /api/v1/auth/token", "Transfer-Encoding: chunked", "no chunk\r\n", 400),
        ("POST /api/v1/auth/token", "Transfer-Encoding: chunked", "5\r\n{}", 400),
    ],
)
def test_what_is_hardly_http_is_a_problem(server, line, headers, body, status):
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", headers]
    request = "\r\n".join([*filter(None, lines), "", body])
    head, _, content = server.send(request.encode("latin-1")).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in head.lower()
    if b"chunked" not in head:
        assert json.loads(content)["status"] == status


# --- Query strings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["search=%00", "search=a%00b", "page=%00", "page=1e5", "page=" + "9" * 5000, "page_size=x",
     "page=1.5", "page=٣x", "ordering=%00", "search=" + "x" * 201],
)  # fmt: skip
def test_a_wrong_value_in_the_query_is_a_problem_that_names_it(api, author, query):
    body = assert_problem(api(author).get(f"courses?{query}"), 422, "validation_error")
    assert [error["loc"] for error in body["errors"]] == [["query", query.partition("=")[0]]]


@pytest.mark.parametrize("query", ["search=%ff", "search=%ed%a0%80", "&&", "search=%25"])
def test_other_odd_queries_are_answered(api, author, query):
    response = api(author).get(f"courses?{query}")
    assert (response.status_code, response.json()["count"]) == (200, 0)


UNKNOWN, REPEATED = "unknown_parameter", "repeated_parameter"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("serach=bread", [("serach", UNKNOWN)]),
        ("Search=bread", [("Search", UNKNOWN)]),
        ("page=1&page=1", [("page", REPEATED)]),
        ("search=a&search=b&x=1&x=2", [("search", REPEATED), ("x", UNKNOWN), ("x", REPEATED)]),
        ("%00=1", [("\0", UNKNOWN)]),
        ("=", [("", UNKNOWN)]),
        ("filters=x", [("filters", UNKNOWN)]),
        ("&".join(f"x{number}=1" for number in range(200)), [(f"x{n}", UNKNOWN) for n in range(100)]),
    ],
)  # fmt: skip
def test_a_parameter_that_is_unknown_or_given_twice_is_refused(api, author, query, expected):
    body = assert_problem(api(author).get(f"courses?{query}"), 422, "validation_error")
    assert [(error["loc"], error["code"]) for error in body["errors"]] == [
        (["query", name], code) for name, code in expected
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "users/me", None),
        ("post", "auth/logout", {"refresh": "x"}),
        ("delete", "users/me/avatar", None),
        ("patch", "users/{pk}", {"city": "Kazan"}),
    ],
)
def test_it_is_the_same_where_there_are_no_parameters(api, author, method, path, body):
    options = {"body": body} if body else {}
    call = getattr(api(author), method)
    answer = call(f"{path.format(pk=author.pk)}?city=Kazan", **options)
    assert_problem(answer, 422, "validation_error")
    author.refresh_from_db()
    assert author.city != "Kazan"


def test_who_is_not_let_in_hears_of_that_first(api):
    assert_problem(api(None).get("courses?serach=bread"), 401, "not_authenticated")


# --- Failures -----------------------------------------------------------------------------------


def test_a_host_that_is_not_ours_is_a_problem(api):
    response = api(None).get("courses", headers={"Host": "evil.example"})
    assert_problem(response, 400, "bad_request")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_down_is_a_problem_and_is_logged(api, author, monkeypatch, caplog):
    client = api(author)
    away = {"NAME": "/nowhere/db.sqlite3", "HOST": "127.0.0.1", "PORT": "1"}
    for name, value in away.items():
        monkeypatch.setitem(connections.settings["default"], name, value)
    responses = []
    # A thread of its own has to connect anew, as a request does after the server went away.
    thread = threading.Thread(target=lambda: responses.append(client.get("courses")))
    thread.start()
    thread.join()
    body = assert_problem(responses[0], 503, "unavailable")
    assert "127.0.0.1" not in body["detail"]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


def test_an_unexpected_failure_says_nothing_of_itself_but_is_logged(api, author, caplog):
    def fail(execute, sql, *args):
        raise RuntimeError("secret: SELECT")

    with connection.execute_wrapper(fail):
        response = api(author).get("courses")
    body = assert_problem(response, 500, "internal_error")
    assert body["detail"] == "Something went wrong on our side."
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if record.name == "project.api"]
    assert "secret" in str(record.exc_info)


# --- Words and headers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "title", "detail", "msg"),
    [
        ("en", "Validation failed", "Some of the values are invalid.", "Unknown field."),
        ("ru", "Неверные значения", "Некоторые значения неверны.", "Такого поля нет."),
        ("de, ru;q=0.5", "Неверные значения", "Некоторые значения неверны.", "Такого поля нет."),
        ("de", "Validation failed", "Some of the values are invalid.", "Unknown field."),
    ],
)
def test_the_words_follow_the_language_of_the_request(api, author, accepted, title, detail, msg):
    headers = {"Accept-Language": accepted}
    response = api(author).post("courses", {"title": "x", "color": "red"}, headers=headers)
    body = assert_problem(response, 422, "validation_error")
    assert (body["title"], body["detail"]) == (title, detail)
    assert [error["msg"] for error in body["errors"]] == [msg]


@pytest.mark.parametrize(
    ("method", "path", "title"),
    [
        ("GET", "nothing", "Не найдено"),
        ("PUT", "courses", "Метод не поддерживается"),
        ("GET", "courses", "Вход не выполнен"),
    ],
)
def test_what_django_answers_itself_is_translated_too(method, path, title):
    response = Client().generic(method, f"/api/v1/{path}", headers={"Accept-Language": "ru"})
    assert response.json()["title"] == title
    assert response["Content-Language"] == "ru"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "nothing", {}, 404),
        ("PUT", "courses", {}, 405),
        ("GET", "courses", {}, 401),
        ("POST", "courses", {"HTTP_HOST": "evil.example"}, 400),
        ("PUT", "courses/1/preview", {"CONTENT_LENGTH": str(7 * MEGABYTE)}, 413),
    ],
)
def test_an_error_keeps_the_headers_that_every_answer_has(settings, method, path, options, status):
    settings.CORS_ALLOWED_ORIGINS = ["https://spa.example"]
    headers = {"Origin": "https://spa.example", "X-Request-Id": "request-0001"}
    client = Client(raise_request_exception=False)
    response = client.generic(method, f"/api/v1/{path}", headers=headers, **options)
    assert response.status_code == status
    assert response["Access-Control-Allow-Origin"] == "https://spa.example"
    assert response["X-Request-Id"] == "request-0001"
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def dead_cache(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }


def test_a_cache_that_does_not_answer_is_no_failure_of_ours(api, author, dead_cache):
    body = {"email": author.email, "password": "x"}
    assert_problem(api(None).post("auth/token", body), 503, "unavailable")


def test_who_asks_about_their_money_needs_no_cache(api, author, dead_cache):
    payment = PaymentFactory.create(payer=author, course=CourseFactory.create())
    assert api(author).get(f"payments/{payment.pk}/status").status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [(OperationalError, 503, "5"), (InterfaceError, 503, "5"), (ZeroDivisionError, 500, None)],
)
def test_the_admin_says_of_a_database_that_is_away_that_it_will_be_back(
    administrator, monkeypatch, error, status, retry_after
):
    client = Client(raise_request_exception=False)
    client.force_login(administrator)

    def fail(self):
        raise error

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)
    response = client.get("/admin/")
    assert (response.status_code, response.get("Retry-After")) == (status, retry_after)
