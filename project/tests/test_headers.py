"""What every answer carries, whatever went wrong."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.test import Client, RequestFactory

from project import urls
from project.common.api.openapi import response_of
from project.tests.processes import KEY, environment, run
from project.tests.test_openapi import DOCUMENT, OPERATIONS

pytestmark = pytest.mark.any_database


def assert_secure(response: Any) -> None:
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Request-Id"]


@pytest.mark.urls("project.tests.failing_urls")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/healthz", 200),
        ("/api/v1/openapi.json", 200),
        ("/api/v1/docs", 200),
        ("/api/v1/courses", 401),
        ("/api/v1/nowhere", 404),
        ("/api/fails", 500),
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/nowhere", 404),
        ("/fails", 500),
    ],
)
def test_answer_is_secure(url: str, status: int) -> None:
    response = Client(raise_request_exception=False).get(url)
    assert response.status_code == status
    assert_secure(response)


def test_too_large_body_is_refused_securely_and_readably_for_the_application(
    settings: Any,
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    response = Client().post(
        "/api/v1/courses",
        b"{}",
        content_type="application/json",
        headers={"origin": "https://app.example", "content-length": str(10**9)},
    )
    assert response.status_code == 413
    assert response["Content-Type"] == "application/problem+json"
    assert_secure(response)
    assert response["Access-Control-Allow-Origin"] == "https://app.example"


@pytest.mark.parametrize("url", ["/api/v1/courses", "/admin/login/"])
def test_foreign_host_is_refused_securely(url: str) -> None:
    response = Client(raise_request_exception=False).get(url, headers={"host": "evil.example"})
    assert response.status_code == 400
    assert_secure(response)


def test_only_the_admin_may_evaluate_expressions() -> None:
    assert "'unsafe-eval'" not in Client().get("/nowhere")["Content-Security-Policy"]
    assert "'unsafe-eval'" in Client().get("/admin/nowhere")["Content-Security-Policy"]


class PicturesElsewhere(FileSystemStorage):
    def url(self, name: str | None) -> str:
        return f"https://pictures.example:9000/bucket/{name}?signature=x"


def test_pages_show_pictures_of_the_storage_s_host(settings: Any) -> None:
    settings.STORAGE_URL = "s3://key:secret@pictures.example:9000/bucket"
    storage = f"{__name__}.{PicturesElsewhere.__qualname__}"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": storage}}
    pictures = "img-src 'self' data:"
    for url in ("/admin/x", "/nowhere"):
        policy = Client().get(url)["Content-Security-Policy"]
        assert f"{pictures} https://pictures.example:9000;" in policy


def test_without_such_a_storage_pictures_are_our_own() -> None:
    assert "img-src 'self' data:;" in Client().get("/admin/x")["Content-Security-Policy"]


@pytest.mark.parametrize(("secure", "expected"), [(True, True), (False, False)])
def test_hsts_is_sent_over_https_only(settings: Any, secure: bool, expected: bool) -> None:  # noqa: FBT001
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    response = Client().get("/nowhere", secure=secure)
    assert response.has_header("Strict-Transport-Security") is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "31536000"),
        ({"HSTS_INCLUDE_SUBDOMAINS": "on"}, "31536000; includeSubDomains"),
        (
            {"HSTS_INCLUDE_SUBDOMAINS": "on", "HSTS_PRELOAD": "on"},
            "31536000; includeSubDomains; preload",
        ),
        ({"HTTPS": "off", "HSTS_INCLUDE_SUBDOMAINS": "on"}, None),
    ],
)
def test_hsts_speaks_of_other_hosts_only_if_asked_to(
    tmp_path: Path, given: dict[str, str], expected: str | None
) -> None:
    script = """
import django; django.setup()
from django.test import Client
print(Client().get("/healthz", secure=True).get("Strict-Transport-Security"))
"""
    variables = environment(
        tmp_path, DJANGO_SETTINGS_MODULE="project.settings", SECRET_KEY=KEY, DEBUG="off"
    )
    result = run([sys.executable, "-c", script], variables | given)
    assert result.stdout.strip() == (f"max-age={expected}" if expected else "None")


def test_http_is_redirected_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = Client().get("/admin/login/")
    assert response.status_code == 301
    assert response["Location"] == "https://testserver/admin/login/"
    assert_secure(response)


def preflight(origin: str, url: str = "/api/v1/courses") -> Any:
    return Client().options(
        url,
        headers={
            "origin": origin,
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "authorization, content-type, idempotency-key",
        },
    )


def test_preflight_of_the_application_is_answered(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    response = preflight("https://app.example")
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == "https://app.example"
    assert "PATCH" in response["Access-Control-Allow-Methods"]
    allowed = response["Access-Control-Allow-Headers"]
    for header in ("authorization", "content-type", "idempotency-key"):
        assert header in allowed
    assert "Access-Control-Allow-Credentials" not in response


def test_another_origin_may_send_and_read_the_headers_of_the_document(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    response = preflight("https://app.example")
    sent, read = {"authorization", "if-none-match"}, set()
    for name in OPERATIONS.keys() - {"receive_stripe_event"}:  # called by no browser
        operation = OPERATIONS[name]
        parameters = operation["parameters"]
        sent |= {one["name"].lower() for one in parameters if one["in"] == "header"}
        for status in operation["responses"]:
            read |= {*map(str.lower, response_of(DOCUMENT, operation, status).get("headers", ()))}
    assert {"if-match", "idempotency-key"} < sent
    assert sent <= {*response["Access-Control-Allow-Headers"].split(", ")}
    assert {"etag", "retry-after"} < read
    assert read <= {*response["Access-Control-Expose-Headers"].split(", ")}


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("https://evil.example", "/api/v1/courses"),
        ("https://app.example.evil.example", "/api/v1/courses"),
        ("http://app.example", "/api/v1/courses"),
        # With DEBUG it is allowed: project/tests/test_up.py.
        ("http://localhost:5173", "/api/v1/courses"),
        ("https://app.example", "/admin/login/"),
    ],
)
@pytest.mark.django_db
def test_preflight_of_others_is_refused(settings: Any, origin: str, url: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    assert "Access-Control-Allow-Origin" not in preflight(origin, url)


def test_pictures_in_development_may_be_kept_for_ever_and_read_by_every_origin(
    tmp_path: Any,
) -> None:
    (tmp_path / "a-40x30.webp").write_bytes(b"x")
    response = urls.serve_picture(RequestFactory().get("/"), "a-40x30.webp", str(tmp_path))
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["Access-Control-Allow-Origin"] == "*"
    response.close()
