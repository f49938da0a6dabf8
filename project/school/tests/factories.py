"""The school's settings as administrators saved them."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from factory.django import DjangoModelFactory
from PIL import Image

from project.school.current import forget_school
from project.school.models import School


class SchoolFactory(DjangoModelFactory[School]):
    class Meta:
        model = School

    pk = 1

    @classmethod
    def _create(cls, model_class: type[School], *args: Any, **values: Any) -> School:
        school: School = super()._create(model_class, *args, **values)
        forget_school()
        return school


def png(colour: str = "teal") -> SimpleUploadedFile:
    """A logo, as administrators choose it."""
    content = BytesIO()
    Image.new("RGB", (900, 300), colour).save(content, "PNG")
    return SimpleUploadedFile("logo.png", content.getvalue())
