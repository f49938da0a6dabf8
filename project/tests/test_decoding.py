"""What is kept of a picture, by the process that decodes it."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin

from project.common.decoding import TooManyPixels, Wanted, keep
from project.common.images import AVATAR, PREVIEW

PIXELS = {"JPEG": 25_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(picture, kind, **options):
    encoded = BytesIO()
    picture.save(encoded, kind, **options)
    return encoded.getvalue()


def clean(content):
    """Return what is kept of a picture, decoded, and its bytes."""
    kept = keep(content, Wanted(*PREVIEW, PIXELS))
    return Image.open(BytesIO(kept.content)), kept.content


def plain(mode="RGB", size=(20, 10), colour="red"):
    return Image.new(mode, size, colour)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_gone_and_the_picture_upright(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90°
    exif[0x010E] = "secret"
    options: dict[str, Any] = {
        "exif": exif,
        "icc_profile": SRGB,
        "xmp": b"<x:xmpmeta>secret</x:xmpmeta>",
    }
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "secret")
        text.add_itxt("XML:com.adobe.xmp", "secret", zip=False)
        options["pnginfo"] = text
    if kind == "JPEG":
        options["comment"] = "secret"
    dirty = encode(plain(), kind, **options)
    assert b"secret" in dirty
    picture, content = clean(dirty)
    assert picture.format == "WEBP"
    assert picture.size == (10, 20)
    assert not picture.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(picture.info)
    assert b"secret" not in content
    assert b"ICC_PROFILE" not in content


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_moving_picture_keeps_its_first_frame(kind):
    frames = [plain(colour=colour) for colour in ("blue", "green")]
    picture, _content = clean(
        encode(plain(), kind, save_all=True, append_images=frames, duration=100, lossless=True)
    )
    assert getattr(picture, "n_frames", 1) == 1
    red, green, blue = picture.convert("RGB").getpixel((5, 5))
    assert red > 200
    assert max(green, blue) < 60


def test_phone_writes_a_jpeg_with_more_pictures_behind_it():
    content = encode(plain(), "MPO", save_all=True, append_images=[plain(colour="blue")])
    picture, _content = clean(content)
    assert picture.size == (20, 10)


def test_printer_colours_become_screen_colours():
    picture, _content = clean(encode(plain("CMYK", colour=(0, 255, 255, 0)), "JPEG"))
    assert picture.mode == "RGB"
    assert picture.getpixel((5, 5))[0] > 200


def test_sixteen_bit_grey_is_scaled():
    picture, _content = clean(encode(Image.new("I;16", (4, 4), 0x8000), "PNG"))
    assert all(abs(value - 128) <= 2 for value in picture.getpixel((1, 1)))


@pytest.mark.parametrize(
    ("mode", "colour", "transparency"), [("P", 0, 0), ("RGB", "red", (255, 0, 0)), ("L", 0, 0)]
)
def test_transparency_of_any_kind_is_kept(mode, colour, transparency):
    content = encode(plain(mode, colour=colour), "PNG", transparency=transparency)
    picture, _content = clean(content)
    assert picture.getpixel((1, 1))[3] == 0


@pytest.mark.parametrize("profile", [b"garbage", SRGB[:200]])
def test_picture_with_a_broken_profile_is_a_picture(profile):
    picture, _content = clean(encode(plain(), "JPEG", icc_profile=profile))
    assert picture.size == (20, 10)


def test_what_is_hidden_behind_a_picture_is_gone():
    _picture, content = clean(encode(plain(), "PNG") + b"<script>alert(1)</script>PK\x03\x04")
    assert b"script" not in content
    assert b"PK" not in content


def test_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    content = encode(Image.new("1", (5001, 5000)), "PNG")
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("unpacked"))
    with pytest.raises(TooManyPixels):
        clean(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_largest_picture_is_accepted_and_scaled_down(kind):
    picture, _content = clean(encode(Image.new("L", (5000, 5000)), kind))
    assert picture.size == (1600, 1600)


@pytest.mark.parametrize(
    ("size", "kept"),
    [((1600, 900), (1600, 900)), ((3200, 900), (1600, 450)), ((900, 3200), (450, 1600)),
     ((5000, 1), (1600, 1)), ((30, 20), (30, 20))],
)  # fmt: skip
def test_the_longer_side_has_at_most_1600_pixels(size, kept):
    assert clean(encode(plain(size=size), "JPEG"))[0].size == kept


@pytest.mark.parametrize(
    ("sizes", "size", "decoded"),
    [(PREVIEW, (3200, 800), (1600, 400)), (PREVIEW, (800, 3201), (400, 1601)),
     (PREVIEW, (3199, 800), (3199, 800)), (PREVIEW, (100, 50), (100, 50)),
     (AVATAR, (3000, 1024), (1500, 512)), (AVATAR, (3000, 1023), (3000, 1023)),
     (AVATAR, (2048, 3000), (512, 750))],
)  # fmt: skip
def test_a_photo_is_decoded_no_larger_than_needed(sizes, size, decoded, monkeypatch):
    seen = []
    load = JpegImagePlugin.JpegImageFile.load

    def noted(self: JpegImagePlugin.JpegImageFile) -> Any:
        seen.append(self.size)
        return load(self)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", noted)
    longest, thumbnail, is_square = sizes
    keep(encode(plain(size=size), "JPEG"), Wanted(longest, thumbnail, is_square, PIXELS))
    assert seen[0] == decoded


@pytest.mark.parametrize("size", [(1000, 600), (600, 1000), (300, 200), (3000, 2000)])
def test_an_avatar_is_the_middle_square(size):
    picture = plain(size=size, colour="blue")
    side = min(size)
    box = ((size[0] - side) // 2, (size[1] - side) // 2)
    picture.paste("red", (*box, box[0] + side, box[1] + side))
    content = encode(picture, "PNG")
    kept = keep(content, Wanted(*AVATAR, PIXELS))
    decoded: Any = Image.open(BytesIO(kept.content)).convert("RGB")
    assert decoded.size == (min(side, 512),) * 2
    for corner in ((8, 8), (decoded.width - 9, decoded.height - 9)):
        red, _green, blue = decoded.getpixel(corner)
        assert red > 200
        assert blue < 60
    assert bool(kept.thumbnail) is (decoded.width > 96)


rough = Image.effect_noise((300, 300), 100)


@pytest.mark.parametrize(
    "content",
    [
        encode(rough, "JPEG", quality=3),
        encode(rough, "WEBP", quality=0),
        encode(Image.new("1", (1, 1)), "PNG"),
        encode(Image.new("1", (1600, 1600)), "PNG"),
        encode(rough.convert("P", palette=Image.Palette.ADAPTIVE, colors=2), "PNG"),
        encode(plain(), "JPEG"),
    ],
)
def test_no_more_is_kept_than_was_sent(content):
    kept = keep(content, Wanted(*PREVIEW, PIXELS))
    assert len(kept.content) <= len(content)
    assert len(kept.thumbnail) <= len(content)
