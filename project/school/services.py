"""What changes the school's settings."""

from collections.abc import Mapping

from django.db import transaction

from project.common.images import Picture, exchange_image, stored_image
from project.common.versions import Expected, check_version
from project.school.current import forget_school
from project.school.models import School

LOGO = "logo"


def update_school(*, changes: Mapping[str, object], expected: Expected = None) -> School:
    """Change the given fields; a `logo` is a cleaned picture, or None to have none. Raises
    ChangedMeanwhile."""
    picture = changes.get(LOGO)
    assert picture is None or isinstance(picture, Picture)  # noqa: S101 - a mistake of ours
    with stored_image(School(pk=1), LOGO, picture) as name, transaction.atomic():
        School.objects.get_or_create(pk=1)
        school = School.objects.select_for_update().get(pk=1)
        check_version(school, expected)
        texts = {field: value for field, value in changes.items() if field != LOGO}
        for field, value in texts.items():
            setattr(school, field, value)
        school.save(update_fields=[*texts])
        if LOGO in changes:
            exchange_image(school, LOGO, name)
        transaction.on_commit(forget_school)
    return school
