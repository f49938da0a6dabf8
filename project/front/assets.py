"""The files of the front: the names under which the page has browsers load them, and their version."""

import json
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urljoin

from django.conf import settings
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

from project.translations import SCRIPTS, catalogues

FOLDER = Path(__file__).parent / "static" / "front"
PAGE = settings.BASE_DIR / "templates" / "front" / "index.html"
# How modules name what is vendored.
PACKAGES = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/preact-hooks.js",
    "htm": "vendor/htm.js",
    "markdown-it": "vendor/markdown-it.js",
}
# The editor loads it when it is opened.
LAZY = {"vendor/markdown-it.js"}
# No module: it says so where modules don't work.
CLASSIC = {"start.js"}


@dataclass(frozen=True)
class Assets:
    import_map: SafeString
    # Of the modules that each start needs.
    addresses: list[str]
    # Another one after a deployment that changed anything in the browser.
    version: str


def current_assets() -> Assets:
    """With DEBUG as the files are now, otherwise as they were when the process began."""
    return _read() if settings.DEBUG else _kept()


def modules() -> list[str]:
    """The names of all modules, vendored ones too, in the folder of the front."""
    names = (path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js"))
    return sorted({*names} - CLASSIC)


def _read() -> Assets:
    names = modules()
    return Assets(
        # Django's own addresses, nothing that anybody typed.
        import_map=mark_safe(json.dumps({"imports": _imports(names)})),  # noqa: S308
        addresses=[_address(name) for name in names if name not in LAZY],
        version=_version(names),
    )


_kept = cache(_read)


def _imports(names: list[str]) -> dict[str, str]:
    """Modules import each other by plain names; in production these lead to the names with a hash, so
    that a page never mixes modules of two deployments."""
    folder = _address("app.js")
    packages = {name: _address(path) for name, path in PACKAGES.items()}
    hashed = {urljoin(folder, name): _address(name) for name in names}
    return packages | {plain: address for plain, address in hashed.items() if plain != address}


def _version(names: list[str]) -> str:
    digest = blake2b(digest_size=8)
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    texts = [path for _language, path in catalogues() if path.stem == SCRIPTS]
    for path in [*files, *texts, PAGE]:
        digest.update(path.read_bytes())
    for name in (*names, *CLASSIC, "style.css"):
        digest.update(_address(name).encode())
    return digest.hexdigest()


def _address(name: str) -> str:
    return static(f"front/{name}")
