"""The front's page, as browsers get it: addresses, headers, texts."""

import json
import re

import pytest
from django.core.management import call_command
from django.test import Client

from project.front import assets
from project.front.assets import LAZY, current_assets, modules
from project.front.views import FOR_EVER
from project.school.services import update_school

pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def _served_here(settings):
    settings.FRONTEND_URL_IS_SET = False


def text_of(path: str, **headers: str) -> str:
    response = Client().get(path, headers=headers)
    assert response.status_code == 200, path
    return response.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/courses/7",
        "/learn",
        "/learn/7/8",
        "/payments",
        "/payments/",
        "/payments/7",
        "/password-reset/Mg/token",
        "/authoring/7/lessons/8",
    ],
)
def test_each_address_of_the_front_is_answered_with_its_page(path):
    response = Client().get(path)
    assert response.status_code == 200
    assert '<div id="app">' in response.text
    assert Client().post(path).status_code in {403, 405}


@pytest.mark.parametrize("path", ["/coursesx", "/nowhere/at/all", "/x.php", "/courses%0A"])
@pytest.mark.parametrize("debug", [True, False])
def test_an_unknown_address_has_a_page_that_leads_to_the_front(settings, path, debug):
    settings.DEBUG = debug
    response = Client().get(path, headers={"accept-language": "ru"})
    assert response.status_code == 404
    assert "Такой страницы нет" in response.text
    assert '<a class="button main" href="/">' in response.text
    assert Client(enforce_csrf_checks=True).post(path).status_code == 404


@pytest.mark.parametrize("debug", [True, False])
def test_an_unknown_address_of_the_api_stays_a_problem_document(settings, debug):
    settings.DEBUG = debug
    response = Client().get("/api/v1/nowhere")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/admin", "/unsubscribe/x", "/exports/x"])
def test_a_last_slash_that_is_missing_is_added(path):
    response = Client().get(f"{path}?a=b")
    assert (response.status_code, response["Location"]) == (301, f"{path}/?a=b")


def test_an_address_elsewhere_is_where_the_front_is_looked_for(settings):
    settings.FRONTEND_URL_IS_SET = True
    for path in ("/", "/courses/7?a=b", "/login?next=%2Flearn"):
        response = Client().get(path)
        assert (response.status_code, response["Location"]) == (
            302,
            f"https://school.example{path}",
        )
    assert Client().get("/nowhere").status_code == 404


@pytest.mark.django_db
def test_the_page_says_before_any_script_whose_it_is_and_what_it_needs(
    django_capture_on_commit_callbacks,
):
    with django_capture_on_commit_callbacks(execute=True):
        update_school(
            changes={"name": "Oak & Co", "colour": "#ffdd00", "email": "desk@oak.example"}
        )
    text = text_of("/", **{"accept-language": "ru"})
    assert '<html lang="ru" ' in text
    assert "<title>Oak &amp; Co</title>" in text
    assert "--colour: #ffdd00; --text-on-colour: #000000" in text
    shown = text.partition("<noscript>")[2]
    assert "Включите JavaScript" in shown
    assert '<a href="mailto:desk@oak.example">desk@oak.example</a>' in shown


def test_the_page_is_under_a_strict_policy_and_embeds_videos_only():
    policy = Client().get("/")["Content-Security-Policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert re.fullmatch(r"'self' 'nonce-[^']+'", parts["script-src"])
    assert parts["img-src"] == "'self' data: https://parta.school.example"
    assert parts["frame-src"] == "https://www.youtube-nocookie.com"
    assert "unsafe" not in policy
    assert "nonce" not in Client().get("/nowhere")["Content-Security-Policy"].partition("style")[0]


def test_a_tab_learns_of_a_deployment_by_the_etag_and_never_gets_an_old_nonce():
    response = Client().get("/")
    etag = response["ETag"]
    assert etag == f'"{current_assets().version}"'
    assert response["Cache-Control"] == "no-cache"
    asked = Client().head("/learn/1", headers={"if-none-match": etag})
    assert (asked.status_code, asked["ETag"], asked.content) == (200, etag, b"")


def test_the_version_changes_with_a_module_and_with_a_text(settings, monkeypatch, tmp_path):
    settings.DEBUG = True
    versions = {current_assets().version}
    for changed in ("app.js", "ru.po"):
        (tmp_path / changed).write_text("")
    monkeypatch.setattr("project.front.assets.PAGE", tmp_path / "app.js")
    versions.add(current_assets().version)
    texts = [("ru", tmp_path / "djangojs.po")]
    texts[0][1].write_text("")
    monkeypatch.setattr("project.front.assets.catalogues", lambda: texts)
    versions.add(current_assets().version)
    assert len(versions) == 3


def test_texts_are_kept_for_ever_unless_another_process_has_made_the_page():
    version = current_assets().version
    response = Client().get(f"/front/texts/ru/{version}.js")
    assert response["Cache-Control"] == FOR_EVER
    assert response["Content-Type"].startswith("text/javascript")
    assert response["Content-Language"] == "ru"
    assert "ngettext" in response.text
    assert Client().get("/front/texts/ru/old.js")["Cache-Control"] == "no-store"
    assert Client().get(f"/front/texts/xx/{version}.js").status_code == 404


def test_the_page_names_the_texts_of_its_language():
    version = current_assets().version
    for language in ("en", "ru"):
        text = text_of("/", **{"accept-language": language})
        assert f'src="/front/texts/{language}/{version}.js"' in text


@pytest.fixture
def collected(settings, tmp_path):
    """The static files as production serves them, from a folder of their own."""
    settings.STATIC_ROOT = tmp_path
    storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": storage}}
    assets._kept.cache_clear()
    call_command("collectstatic", verbosity=0, interactive=False)
    yield tmp_path
    assets._kept.cache_clear()


def test_in_production_each_module_is_loaded_by_a_name_that_its_content_has_given_it(collected):
    text = text_of("/")
    found = re.search(r'<script type="importmap"[^>]*>(.+?)</script>', text)
    assert found
    imports = json.loads(found[1])["imports"]
    preloaded = re.findall(r'<link rel="modulepreload" href="(.+?)">', text)
    plain = {f"/static/front/{name}" for name in modules()}
    assert imports.keys() == plain | assets.PACKAGES.keys()
    assert {imports[f"/static/front/{name}"] for name in modules()} - {*preloaded} == {
        imports[f"/static/front/{name}"] for name in LAZY
    }
    for address in {*imports.values(), *re.findall(r'(?:src|href)="(/static/.+?)"', text)}:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", address), address
        assert (collected / address.removeprefix("/static/")).is_file()


def test_with_debug_modules_have_their_plain_names(settings):
    settings.DEBUG = True
    text = text_of("/")
    assert '<script type="module" src="/static/front/app.js">' in text
    assert '"preact": "/static/front/vendor/preact.js"' in text
