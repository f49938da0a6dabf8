"""What is vendored is what its packages have."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from conftest import require_or_skip
from project.front.assets import FOLDER, PACKAGES

pytestmark = pytest.mark.any_database

NPM = settings.BASE_DIR / "project" / "tests" / "typescript"
LISTED = re.findall(
    r"^- `(?P<file>[^`]+)`: (?P<package>\S+) (?P<version>[^,]+), `(?P<path>[^`]+)`",
    (FOLDER / "vendor" / "README.md").read_text(),
    re.MULTILINE,
)


def test_each_module_that_is_vendored_is_listed_with_its_licence():
    present = {path.name for path in (FOLDER / "vendor").glob("*.js")}
    assert {file for file, *_package in LISTED} == present
    assert {f"vendor/{name}" for name in present} == {*PACKAGES.values()}
    for _file, package, *_version in LISTED:
        assert "opyright" in (FOLDER / "vendor" / f"{package}.LICENSE.txt").read_text()


@pytest.mark.parametrize(("file", "package", "version", "path"), LISTED)
def test_it_is_what_npm_has_but_for_the_address_of_its_source(file, package, version, path):
    assert json.loads((NPM / "package.json").read_text())["devDependencies"][package] == version
    installed: Path = NPM / "node_modules" / package
    require_or_skip(installed.is_dir(), f"npm packages in {NPM}")
    assert json.loads((installed / "package.json").read_text())["version"] == version
    original = (installed / path).read_text()
    expected = re.sub(r"^//# sourceMappingURL=.*(\n|\Z)", "", original, flags=re.MULTILINE)
    assert (FOLDER / "vendor" / file).read_text() == expected
    licence = (FOLDER / "vendor" / f"{package}.LICENSE.txt").read_text()
    assert (installed / "LICENSE").read_text() in licence
