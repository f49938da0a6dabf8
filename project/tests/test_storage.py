"""Pictures in an S3-compatible storage, and files that only the application reads."""

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from project.environment import media_storage, private_storage


def test_objects_may_be_kept_for_ever_and_their_addresses_stay() -> None:
    options = media_storage("s3://key:secret@s3.example/bucket?region=eu")["OPTIONS"]
    assert options["object_parameters"] == {"CacheControl": "public, max-age=31536000, immutable"}
    assert options["querystring_auth"] is False
    assert options["file_overwrite"] is False
    assert media_storage("s3://key:secret@s3.example/bucket?signed=true")["OPTIONS"][
        "querystring_auth"
    ]


def test_exports_lie_in_a_private_bucket_or_folder(tmp_path: Path) -> None:
    options = private_storage("s3://key:secret@s3.example/private", tmp_path)["OPTIONS"]
    assert options["bucket_name"] == "private"
    assert options["querystring_auth"] is True
    assert options["object_parameters"] == {"CacheControl": "no-store"}
    # A worker that is run twice makes the same file anew.
    assert options["file_overwrite"] is True

    storage = FileSystemStorage(**private_storage("", tmp_path / "private")["OPTIONS"])
    for _time in range(2):
        assert storage.save("exports/a.zip", ContentFile(b"x")) == "exports/a.zip"
    folder, file = tmp_path / "private", tmp_path / "private/exports/a.zip"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]

    with pytest.raises(ImproperlyConfigured, match="PRIVATE_STORAGE_URL"):
        private_storage("ftp://host/bucket", tmp_path)
