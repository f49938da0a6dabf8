"""Pictures that people upload: checked by decoding, re-encoded, named at random, removed with
their row. Rule: contract, "Images"."""

import secrets
import warnings
from io import BytesIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import models, transaction
from django.db.models.fields.files import FieldFile
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


@deconstructible
class random_name:  # noqa: N801 - used like the function `upload_to` expects
    """Name a file at random below `folder`; only the extension of the given name is kept."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, instance: models.Model, filename: str) -> str:
        extension = filename.rpartition(".")[2].lower()
        return f"{self.folder}/{secrets.token_hex(16)}.{extension}"


def clean_image(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    """Return the picture re-encoded upright and without metadata, in its own format.

    Raises ValidationError for anything but a whole JPEG, PNG or WebP within the limits.
    """
    if (upload.size or 0) > settings.IMAGE_MAX_BYTES:
        raise ValidationError(_("The picture may have at most 5 MiB."), code="image_too_large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(upload, formats=tuple(EXTENSIONS))
        if picture.width * picture.height > settings.IMAGE_MAX_PIXELS:
            raise ValidationError(
                _("The picture may have at most 25 megapixels."), code="image_too_large"
            )
        encoded = BytesIO()
        kind = picture.format or ""
        upright = ImageOps.exif_transpose(picture)
        upright.info = {}
        upright.save(encoded, format=kind, **({"quality": 90} if kind != "PNG" else {}))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        raise ValidationError(
            _("This is not a JPEG, PNG or WebP picture, or it is damaged."), code="invalid_image"
        ) from None
    return ContentFile(encoded.getvalue(), name=f"image.{EXTENSIONS[kind]}")


def replace_image(instance: models.Model, field: str, picture: "ContentFile[bytes] | None") -> None:
    """Store `picture` (None: nothing) in an image field and save the row; the file that was there
    leaves the storage when the transaction commits, the new one if it does not."""
    file: FieldFile = getattr(instance, field)
    old = file.name
    storage = file.storage
    if picture is None:
        setattr(instance, field, "")
    else:
        file.save(picture.name or "", picture, save=False)
    try:
        with transaction.atomic():
            instance.save(update_fields=[field])
            if old:
                transaction.on_commit(lambda: storage.delete(old))
    except BaseException:
        if picture is not None:
            storage.delete(getattr(instance, field).name)
        raise


def discard_file(file: FieldFile) -> None:
    """Remove the file of a row that is being deleted, when the transaction commits."""
    if file:
        name, storage = file.name or "", file.storage
        transaction.on_commit(lambda: storage.delete(name))
