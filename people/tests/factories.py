"""People for tests."""

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from people.models import BlockReason, User

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """An active person who can log in with PASSWORD; `inactive=True`, `blocked=True`: blocked by
    the sweep or by staff; `erased=True`: at their own wish."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    class Params:
        inactive = factory.Trait(
            is_active=False,
            blocked_reason=BlockReason.INACTIVITY,
            blocked_at=factory.LazyFunction(timezone.now),
            last_login=factory.LazyFunction(lambda: timezone.now() - timedelta(days=100)),
        )
        blocked = factory.Trait(
            is_active=False,
            blocked_reason=BlockReason.STAFF,
            blocked_at=factory.LazyFunction(timezone.now),
        )

        erased = factory.Trait(
            is_active=False,
            blocked_reason=BlockReason.ERASED,
            blocked_at=factory.LazyFunction(timezone.now),
            email=factory.Sequence(lambda number: f"erased-{number}@erased.invalid"),
        )

    email = factory.Sequence(lambda number: f"person{number}@school.example")
    first_name = factory.Faker("first_name")
    password = factory.django.Password(PASSWORD)
