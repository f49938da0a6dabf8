"""The front's own code: checked by TypeScript, and little of it."""

import re
import shutil

import pytest
from django.conf import settings
from django.core.management import call_command

from conftest import require_or_skip
from project.front.assets import FOLDER, PACKAGES
from project.tests.test_typescript import FOLDER as TOOLS
from project.tests.test_typescript import finish, start

pytestmark = pytest.mark.any_database

# Of code; half of the comments say types.
MOST_LINES = 2500
COMMENT = re.compile(r"^\s*(?://.*|/\*(?s:.*?)\*/\s*|# .*)$", re.MULTILINE)
APP = settings.BASE_DIR / "project" / "front"
NOT_OURS = {"vendor", "tests", "schema.d.ts"}
OWN = [
    path
    for folder in (APP, settings.BASE_DIR / "templates" / "front")
    for path in sorted(folder.rglob("*"))
    if path.suffix in {".js", ".ts", ".css", ".html", ".py"} and NOT_OURS.isdisjoint(path.parts)
]


def test_its_types_are_those_of_the_document(tmp_path):
    require_or_skip((TOOLS / "node_modules").is_dir(), f"npm packages in {TOOLS}")
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    shutil.copy(TOOLS / "tsconfig.front.json", tmp_path)
    shutil.copytree(FOLDER, tmp_path / "front", ignore=shutil.ignore_patterns(*NOT_OURS))
    call_command("export_openapi", tmp_path / "openapi.json")
    made = "openapi-typescript", "openapi.json", "--output", "front/schema.d.ts"
    finish(start(tmp_path, *made))
    finish(start(tmp_path, "tsc", "--project", "tsconfig.front.json"))


def test_it_is_little_enough_to_be_read():
    code = "\n".join(COMMENT.sub("", path.read_text()) for path in OWN)
    assert len([line for line in code.splitlines() if line.strip()]) <= MOST_LINES


def test_it_names_no_other_module_than_its_own_and_those_that_the_page_knows():
    for path in OWN:
        if path.suffix == ".js":
            named = re.findall(
                r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""", path.read_text()
            )
            own = {(path.parent / name).resolve() for name in named if name.startswith(".")}
            assert all(module.is_file() or module.with_suffix(".d.ts").is_file() for module in own)
            assert {name for name in named if not name.startswith(".")} <= PACKAGES.keys()
