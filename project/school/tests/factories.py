"""The school's settings as administrators saved them."""

from typing import Any

from factory.django import DjangoModelFactory

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
