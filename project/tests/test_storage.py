"""Pictures in an S3-compatible storage."""

from project.environment import media_storage


def test_objects_may_be_kept_for_ever_and_their_addresses_stay() -> None:
    options = media_storage("s3://key:secret@s3.example/bucket?region=eu")["OPTIONS"]
    assert options["object_parameters"] == {"CacheControl": "public, max-age=31536000, immutable"}
    assert options["querystring_auth"] is False
    assert options["file_overwrite"] is False
    assert media_storage("s3://key:secret@s3.example/bucket?signed=true")["OPTIONS"][
        "querystring_auth"
    ]
