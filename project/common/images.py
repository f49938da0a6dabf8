"""Pictures that people upload: checked by decoding, kept as a rendition and a thumbnail in WebP, named
at random and by their size, removed with their row. The rules: docs/rules.md, 8."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.db import models, transaction
from django.db.models.fields.files import FieldFile, FileField
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageCms, ImageOps

if TYPE_CHECKING:
    _BytesFile = ContentFile[bytes]
else:
    _BytesFile = ContentFile

# MPO is what many phones write: a JPEG with further pictures behind the first one.
KINDS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
SRGB = ImageCms.createProfile("sRGB")
QUALITIES = (80, 60, 40, 20, 5)
# What a name says about the picture; those from before have no size in theirs.
SIZE = re.compile(r"(?:^|-)(\d{1,5})x(\d{1,5})\.webp$")
# A decoded picture takes up to 430 MiB: a process decodes one at a time.
_decoding = Lock()


class Sizes(NamedTuple):
    """What is kept of a picture: the longest side of the rendition and of the thumbnail."""

    longest: int
    thumbnail: int
    is_square: bool = False


PREVIEW = Sizes(1600, 480)
AVATAR = Sizes(512, 96, is_square=True)
FOLDERS = {"avatars": AVATAR}


class Picture(_BytesFile):
    """A rendition; `thumbnail` is None where the rendition itself is as small."""

    def __init__(self, content: bytes, size: tuple[int, int], thumbnail: bytes | None) -> None:
        super().__init__(content, name="{}x{}.webp".format(*size))
        self.thumbnail = thumbnail


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


def clean_image(upload: "File[bytes]", sizes: Sizes = PREVIEW) -> Picture:
    """Return what is kept of a picture: upright, in sRGB, without metadata; of a moving one the first
    frame. It has no more bytes than there were.

    Raises ValidationError for anything but a whole JPEG, PNG or WebP within the limits.
    """
    if (upload.size or 0) > settings.IMAGE_MAX_BYTES:
        raise ValidationError(_("The picture can't be larger than 5 MiB."), code="image_too_large")
    try:
        with _decoding:
            picture = _scaled(upload, sizes)
        return _encoded(picture, upload.size or 0, sizes)
    except ValidationError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise anything at all for damaged bytes
        raise ValidationError(
            _("This is not a JPEG, PNG or WebP picture, or the file is damaged."),
            code="invalid_image",
        ) from None


def _scaled(upload: "File[bytes]", sizes: Sizes) -> Image.Image:
    """Decode a picture no larger than needed, as far as its format allows, and scale it down before
    anything else is done to it: each copy of a large one is 100 MB."""
    picture: Image.Image = Image.open(upload, formats=("JPEG", "PNG", "WEBP"))
    if picture.width * picture.height > settings.IMAGE_MAX_PIXELS:
        raise ValidationError(
            _("The picture can't have more than 25 megapixels."), code="image_too_large"
        )
    picture.draft(None, (2 * sizes.longest, 2 * sizes.longest))  # of a JPEG only
    picture.load()
    if picture.mode not in {"RGB", "RGBA", "CMYK", "L"} or "transparency" in picture.info:
        picture = _with_plain_colours(picture)
    if sizes.is_square:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        box = (left, top, left + side, top + side)
        wanted = min(side, sizes.longest)
        size = (wanted, wanted)
    else:
        box = (0, 0, *picture.size)
        factor = min(1, sizes.longest / max(picture.size))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    if box != (0, 0, *size):
        picture = picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    plain = _with_plain_colours(ImageOps.exif_transpose(picture))
    plain.info = {}  # what is not in here is not written
    return plain


def _encoded(picture: Image.Image, most: int, sizes: Sizes) -> Picture:
    """Encode a picture in at most this many bytes: less well if need be, and then smaller."""
    while True:
        for quality in QUALITIES:
            content = _webp(picture, quality)
            if len(content) <= most:
                thumbnail = None
                if max(picture.size) > sizes.thumbnail:
                    small = picture.copy()
                    small.thumbnail((sizes.thumbnail, sizes.thumbnail))
                    thumbnail = _webp(small, quality)
                return Picture(content, picture.size, thumbnail)
        if max(picture.size) == 1:
            return Picture(content, picture.size, None)
        picture = picture.resize(tuple(max(1, side * 3 // 4) for side in picture.size))


def _webp(picture: Image.Image, quality: int) -> bytes:
    encoded = BytesIO()
    picture.save(encoded, format="WEBP", quality=quality, method=2)
    return encoded.getvalue()


def _with_plain_colours(picture: Image.Image) -> Image.Image:
    """Return the picture in sRGB, with an alpha channel only if it is transparent somewhere.

    A colour profile has to be applied before it is thrown away, or photos turn pale.
    """
    if picture.mode.startswith("I;16"):
        # Sixteen bits of grey, which Pillow would cut off at 255 instead of scaling.
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in {"RGB", "RGBA", "CMYK", "L"}:
        try:
            converted = ImageCms.profileToProfile(picture, BytesIO(profile), SRGB, outputMode=mode)
        except (ImageCms.PyCMSError, ValueError, OSError):
            converted = None  # a profile of no use; the picture is still one
        if converted is not None:
            return converted
    return picture.convert(mode)


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
    if not name:
        return []
    stored = stored_picture(name)
    return list(dict.fromkeys([name, stored.thumbnail if stored else name]))
