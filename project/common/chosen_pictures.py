"""Pictures that somebody has chosen in a form that is not saved yet (docs/rules.md, 8.7).

Each is a file in the private storage, in a folder of the person, named by the time and at random. A form
carries the name, signed: with it the same person, and nobody else, gets the picture back.
"""

import secrets
import time
from contextlib import suppress
from datetime import timedelta

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.core.signing import BadSignature, Signer

from project.common.images import Picture

FOLDER = "chosen"
CHOSEN_KEPT = timedelta(days=1)
# Of one person; of more the oldest go.
AT_MOST = 100
_signer = Signer(salt="project.common.chosen_pictures")


def keep(picture: Picture, *, person_id: int) -> str:
    """Keep a picture for the person; return what their form has to send to get it back."""
    folder = _folder(person_id)
    name = f"{folder}/{time.time_ns():020d}-{secrets.token_hex(16)}"
    _storage().save(name, ContentFile(picture.packed()))
    for old in sorted(_names(folder))[:-AT_MOST]:
        _storage().delete(f"{folder}/{old}")
    return _signer.sign(name)


def kept(token: str, *, person_id: int) -> Picture | None:
    """The picture that the person chose before; None if it is not theirs, or gone."""
    try:
        name = _signer.unsign(token)
    except BadSignature:
        return None
    if not name.startswith(f"{_folder(person_id)}/") or _is_old(name.rpartition("/")[2]):
        return None
    try:
        with _storage().open(name) as file:
            picture = Picture.unpacked(file.read())
    except (FileNotFoundError, SuspiciousOperation):
        return None
    picture.chosen = name
    return picture


def forget_old() -> int:
    """Delete the pictures that no form was saved with; return how many."""
    storage, deleted = _storage(), 0
    for person in _names(FOLDER, folders=True):
        for name in _names(f"{FOLDER}/{person}"):
            if _is_old(name):
                storage.delete(f"{FOLDER}/{person}/{name}")
                deleted += 1
    return deleted


def _folder(person_id: int) -> str:
    return f"{FOLDER}/{person_id}"


def _names(folder: str, *, folders: bool = False) -> list[str]:
    with suppress(FileNotFoundError):  # nobody has chosen one yet
        found: list[str] = _storage().listdir(folder)[0 if folders else 1]
        return found
    return []


def _is_old(name: str) -> bool:
    return int(name.partition("-")[0]) < (time.time() - CHOSEN_KEPT.total_seconds()) * 10**9


def _storage() -> Storage:
    return storages["private"]
