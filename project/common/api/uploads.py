"""Pictures in requests."""

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from project.common.images import PREVIEW, Picture, Sizes, clean_image


def read_upload(upload: "UploadedFile[bytes]", sizes: Sizes = PREVIEW) -> Picture:
    """As `clean_image`, for the part `file` of a request: the error names it."""
    try:
        return clean_image(upload, sizes)
    except ValidationError as error:
        raise ValidationError({"file": error}) from None
