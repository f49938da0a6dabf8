"""What the words of a machine mean to people, and what they can do about it."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Meaning(NamedTuple):
    says: "StrOrPromise"
    advice: "StrOrPromise"


type Meanings = Iterable[tuple[str, Meaning]]


def meaning_of(words: str, known: Meanings) -> Meaning | None:
    """That of the first pattern which is found in the words."""
    return next((meaning for pattern, meaning in known if re.search(pattern, words)), None)
