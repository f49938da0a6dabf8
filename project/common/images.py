"""Pictures that people upload: checked by decoding (in decoding.py), kept as a rendition and a thumbnail
in WebP, named at random and by their size, removed with their row. The rules: docs/rules.md, 8."""

import json
import logging
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urljoin

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage, storages
from django.db import models, transaction
from django.db.models.fields.files import FieldFile, FileField
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

from project.common.errors import DomainError

if TYPE_CHECKING:
    _BytesFile = ContentFile[bytes]
else:
    _BytesFile = ContentFile

# What a name says about the picture; those from before have no size in theirs.
SIZE = re.compile(r"(?:^|-)(\d{1,5})x(\d{1,5})\.webp$")
NO_PICTURE = _("This is not a JPEG, PNG or WebP picture, or the file is damaged.")
NO_HEIC = _(
    "This is a picture in the format of iPhones (HEIC), which not every browser can show. Save it as "
    "JPEG, or have the phone do so: Settings, Camera, Formats, Most Compatible."
)
HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1")}
FORMATS = tuple(settings.PHOTO_MAX_PIXELS)
MIB = 1024 * 1024
# A process decodes one picture at a time, because that takes up to 550 MiB.
_turn = Lock()
_places = BoundedSemaphore(max(1, settings.WEB_THREADS // 2))
# Seconds: to wait for one's turn, and for a picture, on a machine that has much else to do.
PATIENCE = 3
DECODED_WITHIN = 30
# How a process ends that the system had no memory for (SIGKILL).
KILLED = -9

logger = logging.getLogger(__name__)


class PicturesBusy(DomainError):
    code = "pictures_busy"
    message = _("Too many pictures arrive at the moment. Try again in a few seconds.")
    retry_after = 2


class Sizes(NamedTuple):
    """What is kept of a picture: the longest side of the rendition and of the thumbnail."""

    longest: int
    thumbnail: int
    is_square: bool = False


class Limits(NamedTuple):
    """What is read of a picture at the most; pixels by its format."""

    mebibytes: int
    pixels: dict[str, int]


def uploaded() -> Limits:
    """Of a program, which is told what it may send."""
    pixels = dict.fromkeys(FORMATS, settings.IMAGE_MAX_PIXELS)
    return Limits(settings.IMAGE_MAX_BYTES // MIB, pixels)


def chosen() -> Limits:
    """Of a person, who has a photograph and not the means to make it smaller.

    A JPEG is decoded at a reduced size: one of 120 megapixels takes no more memory than a PNG of 50."""
    return Limits(settings.PHOTO_MAX_BYTES // MIB, settings.PHOTO_MAX_PIXELS)


PREVIEW = Sizes(1600, 480)
AVATAR = Sizes(512, 96, is_square=True)
LOGO = Sizes(640, 160)
FOLDERS = {"avatars": AVATAR, "logos": LOGO}


class Picture(_BytesFile):
    """A rendition; `thumbnail` is None where the rendition itself is as small."""

    # Where it lies in the private storage, if it was chosen in a form before (chosen_pictures.py).
    chosen = ""

    def __init__(self, content: bytes, size: tuple[int, int], thumbnail: bytes | None) -> None:
        super().__init__(content, name="{}x{}.webp".format(*size))
        self.content, self.dimensions, self.thumbnail = content, size, thumbnail

    def packed(self) -> bytes:
        """As the process that decodes it writes it."""
        header = {"size": self.dimensions, "length": len(self.content)}
        return b"\n".join([json.dumps(header).encode(), self.content + (self.thumbnail or b"")])

    @classmethod
    def unpacked(cls, packed: bytes) -> "Picture":
        line, _end, content = packed.partition(b"\n")
        header = json.loads(line)
        if "error" in header:
            raise _refusal(**header)
        length = header["length"]
        return cls(content[:length], tuple(header["size"]), content[length:] or None)


class StoredPicture(NamedTuple):
    """What the name of a stored picture says."""

    width: int
    height: int
    thumbnail: str


def stored_picture(name: str) -> StoredPicture | None:
    """Read the name of a stored picture; None of one that is not yet converted."""
    if (match := SIZE.search(name)) is None:
        return None
    width, height = int(match[1]), int(match[2])
    has_thumbnail = max(width, height) > sizes_in(name).thumbnail
    thumbnail = f"{name[: match.start()]}-thumbnail.webp" if has_thumbnail else name
    return StoredPicture(width, height, thumbnail)


def address_of(name: str) -> str:
    """Where a stored picture is read, for mails and other sites."""
    return urljoin(f"{settings.SITE_URL}/", default_storage.url(name))


def sizes_in(name: str) -> Sizes:
    """The sizes of pictures in this folder."""
    return FOLDERS.get(name.partition("/")[0], PREVIEW)


@deconstructible
class random_name:  # noqa: N801 - used like the function `upload_to` expects
    """Name a file at random below `folder`; of the given name only the size and the extension are
    kept."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, instance: models.Model, filename: str) -> str:
        size = SIZE.search(filename)
        ending = "-{}x{}".format(*size.groups()) if size else ""
        extension = filename.rpartition(".")[2].lower()
        return f"{self.folder}/{secrets.token_hex(16)}{ending}.{extension}"


def clean_image(
    upload: "File[bytes]", sizes: Sizes = PREVIEW, limits: Limits | None = None
) -> Picture:
    """Return what is kept of a picture: upright, in sRGB, without metadata; of a moving one the first
    frame. It has no more bytes than there were.

    Raises ValidationError for anything but a whole JPEG, PNG or WebP within the limits, which are
    `uploaded()` if none are given, PicturesBusy if there is no place to decode it.
    """
    limits = limits or uploaded()
    if (upload.size or 0) > limits.mebibytes * MIB:
        raise ValidationError(
            _("The picture can't be larger than %(limit)d MiB."),
            code="image_too_large",
            params={"limit": limits.mebibytes},
        )
    with _place():
        content = upload.read()
        if content[4:12] in HEIC:
            raise ValidationError(NO_HEIC, code="invalid_image")
        return Picture.unpacked(_decode(content, [*sizes, limits.pixels]))


def _refusal(error: str, most: int = 0) -> ValidationError:
    if error == "image_too_large":
        message = _("The picture can't have more than %(limit)d megapixels.")
        return ValidationError(message, code=error, params={"limit": most // 1_000_000})
    return ValidationError(NO_PICTURE, code=error)


@contextmanager
def _place() -> Iterator[None]:
    """Wait for one's turn: of the threads of a process half may, or nobody else would be served."""
    if not _places.acquire(blocking=False):
        raise PicturesBusy
    try:
        if not _turn.acquire(timeout=PATIENCE):
            raise PicturesBusy
        try:
            yield
        finally:
            _turn.release()
    finally:
        _places.release()


def _decode(content: bytes, wanted: list[object]) -> bytes:
    """Have a process of its own decode a picture, whatever that does to it."""
    command = [sys.executable, "-m", "project.common.decoding", json.dumps(wanted)]
    try:
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            input=content,
            capture_output=True,
            timeout=DECODED_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:  # the machine has no memory or time left
        logger.error("A picture was not decoded: %r", error)  # noqa: TRY400
        raise PicturesBusy from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode < 0 and done.returncode != KILLED:
        # It crashed, or needed more time than any picture should.
        raise ValidationError(NO_PICTURE, code="invalid_image")
    logger.error("A picture was not decoded: %d, %s", done.returncode, done.stderr[-1000:])
    raise PicturesBusy


@contextmanager
def stored_image(instance: models.Model, field_name: str, picture: Picture | None) -> Iterator[str]:
    """Store a picture for an image field and give its name ("" for None); remove it again if an
    exception leaves the block.

    Open it around the transaction, not inside: storing may be slow, and only out there it is known
    whether the commit succeeded.
    """
    field = instance._meta.get_field(field_name)
    assert isinstance(field, FileField)  # noqa: S101 - a mistake of ours
    name = ""
    if picture is not None:
        path = field.generate_filename(instance, picture.name or "")
        name = field.storage.save(path, picture, max_length=field.max_length)
    try:
        if picture is not None and picture.thumbnail is not None:
            _path, thumbnail = files_of(name)
            field.storage.save(thumbnail, ContentFile(picture.thumbnail))
        yield name
    except BaseException:
        for file in files_of(name):
            field.storage.delete(file)
        raise
    if picture is not None and picture.chosen:
        transaction.on_commit(partial(storages["private"].delete, picture.chosen), robust=True)


class CopiedPictures:
    """Pictures of rows that are copied, as files of their own. Those that no row took by the end of the
    block, and all of them if an exception leaves it, are removed again.

    Open it around the transaction, not inside, as `stored_image`.
    """

    def __init__(self) -> None:
        # By the name of the original; "" where its file is missing.
        self._copies: dict[str, str] = {"": ""}
        self._taken: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def add(self, file: FieldFile) -> None:
        """Copy the file, unless that is done."""
        name = file.name or ""
        if name in self._copies:
            return
        self._copies[name] = copy = file.field.generate_filename(file.instance, name)
        for old, new in zip(files_of(name), files_of(copy), strict=True):
            try:
                with default_storage.open(old) as source:
                    default_storage.save(new, source)
            except FileNotFoundError:
                if old == name:
                    self._copies[name] = ""
                    return

    def have(self, names: Iterable[str]) -> bool:
        return self._copies.keys() >= {*names}

    def take(self, name: str) -> str:
        """The name of the copy, for a row that is written now."""
        self._taken.add(name)
        return self._copies[name]

    def __exit__(self, error: type[BaseException] | None, *_of_error: object) -> None:
        for name, copy in self._copies.items():
            if error is not None or name not in self._taken:
                for file in files_of(copy):
                    default_storage.delete(file)


def exchange_image(instance: models.Model, field_name: str, name: str, **others: object) -> None:
    """Let the image field of a locked, freshly read row point to `name`, and save it with `others`;
    the file that was there leaves the storage when the transaction commits."""
    discard_file(getattr(instance, field_name))
    values = {field_name: name, **others}
    for field, value in values.items():
        setattr(instance, field, value)
    instance.save(update_fields=[*values])


def discard_file(file: FieldFile) -> None:
    """Remove the picture of a row that is being deleted, when the transaction commits."""
    for name in files_of(file.name or ""):
        # `robust`: what is committed is done; a storage that fails now leaves a file, no error.
        transaction.on_commit(partial(file.storage.delete, name), robust=True)


def files_of(name: str) -> list[str]:
    """The picture with this name and its thumbnail; nothing for no name."""
    return list(dict.fromkeys([name, thumbnail_of(name)])) if name else []


def thumbnail_of(name: str) -> str:
    """The name of its thumbnail; of a picture from before there were any, its own."""
    stored = stored_picture(name)
    return stored.thumbnail if stored else name
