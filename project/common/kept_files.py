"""Files of a person between two requests: in the private storage, which all hosts share, for a day.

Each is a file in a folder of the person, named by the time and at random. A page carries the name,
signed: with it the same person, and nobody else, gets the content back.
"""

import secrets
import time
from datetime import timedelta

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.signing import BadSignature, Signer

FILES_KEPT = timedelta(days=1)


class KeptFiles:
    """Files of one sort, in a folder of their own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.signer = Signer(salt=f"project.common.{folder}")

    def keep(self, content: bytes, *, person_id: int, at_most: int) -> str:
        """Keep a file for the person; return what their page has to send to get it back. Of more than
        `at_most` the oldest go."""
        folder = self._folder_of(person_id)
        name = f"{folder}/{time.time_ns():020d}-{secrets.token_hex(16)}"
        keep_file(name, content, at_most=at_most)
        return self.signer.sign(name)

    def kept(self, token: str, *, person_id: int) -> tuple[str, bytes] | None:
        """Where the file that the person gave lies, and its content; None if it is not theirs, or gone."""
        try:
            name = self.signer.unsign(token)
        except BadSignature:
            return None
        is_theirs = name.startswith(f"{self._folder_of(person_id)}/")
        if not is_theirs or _is_old(name.rpartition("/")[2]):
            return None
        try:
            with storages["private"].open(name) as file:
                return name, file.read()
        except (FileNotFoundError, SuspiciousOperation):
            return None

    def forget_old(self) -> int:
        """Delete the files whose day is over; return how many."""
        storage, deleted = storages["private"], 0
        for person in _listed(self.folder)[0]:
            for name in files_in(f"{self.folder}/{person}"):
                if _is_old(name):
                    storage.delete(f"{self.folder}/{person}/{name}")
                    deleted += 1
        return deleted

    def _folder_of(self, person_id: int) -> str:
        return f"{self.folder}/{person_id}"


def keep_file(name: str, content: bytes, *, at_most: int) -> None:
    """Keep a file in a folder of the private storage. Of more than `at_most` there the first by name go."""
    storage, folder = storages["private"], name.rpartition("/")[0]
    storage.save(name, ContentFile(content))
    for old in sorted(files_in(folder))[:-at_most]:
        storage.delete(f"{folder}/{old}")


def files_in(folder: str) -> list[str]:
    """The names of the files that are kept there."""
    return _listed(folder)[1]


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return storages["private"].listdir(folder)
    except FileNotFoundError:  # nobody has kept one yet
        return [], []


def _is_old(name: str) -> bool:
    return int(name.partition("-")[0]) < (time.time() - FILES_KEPT.total_seconds()) * 10**9


# Of payments, between the look at them and the import.
TABLES = KeptFiles("tables")
TABLES_AT_MOST = 10
