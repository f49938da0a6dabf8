"""Pictures that people upload: checked by decoding, re-encoded, named at random, removed with
their row. The rules: docs/rules.md, 8."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import models, transaction
from django.db.models.fields.files import FieldFile, FileField
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageCms, ImageOps

# MPO is what many phones write: a JPEG with further pictures behind the first one.
KINDS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
SRGB = ImageCms.createProfile("sRGB")


@deconstructible
class random_name:  # noqa: N801 - used like the function `upload_to` expects
    """Name a file at random below `folder`; only the extension of the given name is kept."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, instance: models.Model, filename: str) -> str:
        extension = filename.rpartition(".")[2].lower()
        return f"{self.folder}/{secrets.token_hex(16)}.{extension}"


def read_upload(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    """As `clean_image`, for the part `file` of a request: the error names it."""
    try:
        return clean_image(upload)
    except ValidationError as error:
        raise ValidationError({"file": error}) from None


def clean_image(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    """Return the picture re-encoded upright and without metadata, in its own format; of a moving
    one the first frame.

    Raises ValidationError for anything but a whole JPEG, PNG or WebP within the limits.
    """
    if (upload.size or 0) > settings.IMAGE_MAX_BYTES:
        raise ValidationError(_("The picture can't be larger than 5 MiB."), code="image_too_large")
    try:
        return _reencode(upload)
    except ValidationError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise anything at all for damaged bytes
        raise ValidationError(
            _("This is not a JPEG, PNG or WebP picture, or the file is damaged."),
            code="invalid_image",
        ) from None


def _reencode(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    picture = Image.open(upload, formats=tuple(EXTENSIONS))
    if picture.width * picture.height > settings.IMAGE_MAX_PIXELS:
        raise ValidationError(
            _("The picture can't have more than 25 megapixels."), code="image_too_large"
        )
    kind = KINDS[picture.format or ""]
    plain = _with_plain_colours(ImageOps.exif_transpose(picture))
    plain.info = {}  # what is not in here is not written
    encoded = BytesIO()
    plain.save(encoded, format=kind, quality=90)
    return ContentFile(encoded.getvalue(), name=f"image.{EXTENSIONS[kind]}")


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
def stored_image(
    instance: models.Model, field_name: str, picture: "ContentFile[bytes] | None"
) -> Iterator[str]:
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
        yield name
    except BaseException:
        if name:
            field.storage.delete(name)
        raise


def exchange_image(instance: models.Model, field_name: str, name: str, **others: object) -> None:
    """Let the image field of a locked, freshly read row point to `name`, and save it with `others`;
    the file that was there leaves the storage when the transaction commits."""
    discard_file(getattr(instance, field_name))
    values = {field_name: name, **others}
    for field, value in values.items():
        setattr(instance, field, value)
    instance.save(update_fields=[*values])


def replace_image(
    instance: models.Model,
    field_name: str,
    picture: "ContentFile[bytes] | None",
    **others: object,
) -> None:
    """Store `picture` (None: nothing) in an image field and save the row, with `others` among its
    fields. Of simultaneous replacements every picture but the last leaves the storage."""
    with stored_image(instance, field_name, picture) as name, transaction.atomic():
        row = type(instance)._base_manager.select_for_update().get(pk=instance.pk)  # noqa: SLF001 - documented
        exchange_image(row, field_name, name, **others)
    for field, value in {field_name: name, **others}.items():
        setattr(instance, field, value)


def discard_file(file: FieldFile) -> None:
    """Remove the file of a row that is being deleted, when the transaction commits."""
    if file.name:
        # `robust`: what is committed is done; a storage that fails now leaves a file, no error.
        transaction.on_commit(partial(file.storage.delete, file.name), robust=True)
