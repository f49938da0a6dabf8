"""The process that decodes one picture: `python -m project.common.decoding`, with what is wanted in
its argument, the picture in its input, and what is kept of it in its output.

It has bounds that a web process can't have, and imports nothing but Pillow, to start quickly.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

if sys.platform != "win32":
    import resource

# Without these Pillow would import its decoders of fifty other formats to find those.
FORMATS = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)
# MPO is what many phones write: a JPEG with further pictures behind the first one.
KINDS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
# We have limits of our own, below which nothing is a bomb.
Image.MAX_IMAGE_PIXELS = None
SRGB = ImageCms.createProfile("sRGB")
QUALITIES = (80, 60, 40, 20, 5)
# The most that a picture within the limits takes is 550 MiB and two and a half seconds.
MEMORY = 640 * 1024 * 1024
CPU_SECONDS = 15


class Wanted(NamedTuple):
    """What is kept of a picture, as in images.py, and how large it may be."""

    longest: int
    thumbnail: int
    is_square: bool
    most_pixels: Mapping[str, int]


class Kept(NamedTuple):
    size: tuple[int, int]
    content: bytes
    thumbnail: bytes = b""


class TooManyPixels(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


def main() -> None:
    limit_process()
    wanted = Wanted(*json.loads(sys.argv[1]))
    try:
        kept = keep(sys.stdin.buffer.read(), wanted)
    except TooManyPixels as error:
        answer({"error": "image_too_large", "most": error.most})
    except Exception:  # noqa: BLE001 - decoders raise anything at all for damaged bytes
        answer({"error": "invalid_image"})
    else:
        header = {"size": kept.size, "length": len(kept.content)}
        answer(header, kept.content, kept.thumbnail)


def answer(header: dict[str, object], *content: bytes) -> None:
    sys.stdout.buffer.writelines([json.dumps(header).encode(), b"\n", *content])


def limit_process() -> None:
    """Bound the memory and the time of this process, and let all others go first."""
    if sys.platform == "win32":
        return
    os.nice(10)
    with suppress(OSError):  # Linux only
        # If the machine is short of memory nevertheless, this process is the one to end.
        Path("/proc/self/oom_score_adj").write_text("1000")
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        with suppress(ValueError):  # a lower one is set; macOS has none for memory
            resource.setrlimit(limit, (most, most))


def keep(content: bytes, wanted: Wanted) -> Kept:
    """Return what is kept of a picture: no more bytes than there were.

    Raises TooManyPixels, and anything at all for what is no whole JPEG, PNG or WebP.
    """
    return _encoded(_scaled(content, wanted), len(content), wanted)


def _scaled(content: bytes, wanted: Wanted) -> Image.Image:
    """Decode a picture no larger than needed, as far as its format allows, and scale it down before
    anything else is done to it: each copy of a large one is 100 MB."""
    picture: Image.Image = Image.open(BytesIO(content), formats=FORMATS)
    most = wanted.most_pixels[KINDS[picture.format or ""]]
    if picture.width * picture.height > most:
        raise TooManyPixels(most)
    factor = wanted.longest / (min if wanted.is_square else max)(picture.size)
    least = ceil(picture.width * factor), ceil(picture.height * factor)
    picture.draft(None, least)  # of a JPEG: half as large, or a quarter, or an eighth
    picture.load()
    if picture.mode not in {"RGB", "RGBA", "CMYK", "L"} or "transparency" in picture.info:
        picture = _with_plain_colours(picture)
    if wanted.is_square:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        box = (left, top, left + side, top + side)
        length = min(side, wanted.longest)
        size = (length, length)
    else:
        box = (0, 0, *picture.size)
        factor = min(1, wanted.longest / max(picture.size))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    if box != (0, 0, *size):
        picture = picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    plain = _with_plain_colours(ImageOps.exif_transpose(picture))
    plain.info = {}  # what is not in here is not written
    return plain


def _encoded(picture: Image.Image, most: int, wanted: Wanted) -> Kept:
    """Encode a picture in at most this many bytes: less well if need be, and then smaller."""
    while True:
        for quality in QUALITIES:
            content = _webp(picture, quality)
            if len(content) <= most:
                thumbnail = b""
                if max(picture.size) > wanted.thumbnail:
                    small = picture.copy()
                    small.thumbnail((wanted.thumbnail, wanted.thumbnail))
                    thumbnail = _webp(small, quality)
                return Kept(picture.size, content, thumbnail)
        if max(picture.size) == 1:
            return Kept(picture.size, content)
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


if __name__ == "__main__":
    main()
