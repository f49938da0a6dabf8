"""Pictures that somebody has chosen in a form that is not saved yet (docs/rules.md, 8.7)."""

from project.common.images import Picture
from project.common.kept_files import KeptFiles

FOLDER = "chosen"
# Of one person; of more the oldest go.
AT_MOST = 100
_files = KeptFiles(FOLDER)


def keep(picture: Picture, *, person_id: int) -> str:
    """Keep a picture for the person; return what their form has to send to get it back."""
    return _files.keep(picture.packed(), person_id=person_id, at_most=AT_MOST)


def kept(token: str, *, person_id: int) -> Picture | None:
    """The picture that the person chose before; None if it is not theirs, or gone."""
    found = _files.kept(token, person_id=person_id)
    if found is None:
        return None
    name, content = found
    picture = Picture.unpacked(content)
    picture.chosen = name
    return picture


def forget_old() -> int:
    """Delete the pictures that no form was saved with; return how many."""
    return _files.forget_old()
