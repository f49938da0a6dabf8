"""People for tests."""

import factory
from factory.django import DjangoModelFactory

from people.models import User

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """An active person who can log in with PASSWORD."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@school.example")
    first_name = factory.Faker("first_name")
    password = factory.django.Password(PASSWORD)
