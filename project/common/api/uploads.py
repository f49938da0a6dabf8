"""Pictures in requests."""

from threading import BoundedSemaphore

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from ninja.errors import Throttled

from project.common.images import PREVIEW, Picture, Sizes, clean_image

# A process decodes one picture at a time; half of its threads may wait for that, the others serve
# everybody else, and who comes then is told to come back after so many seconds.
COME_BACK = 2
_places = BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def read_upload(upload: "UploadedFile[bytes]", sizes: Sizes = PREVIEW) -> Picture:
    """As `clean_image`, for the part `file` of a request: the error names it. Raises Throttled at
    once if there is no place."""
    if not _places.acquire(blocking=False):
        raise Throttled(wait=COME_BACK)
    try:
        return clean_image(upload, sizes)
    except ValidationError as error:
        raise ValidationError({"file": error}) from None
    finally:
        _places.release()
