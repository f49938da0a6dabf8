"""People for tests."""

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from people.models import BlockReason, User
from project.mail.models import RefusedAddress

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
    email_confirmed_at = factory.LazyFunction(timezone.now)
    first_name = factory.Faker("first_name")
    password = factory.django.Password(PASSWORD)


class RefusedAddressFactory(DjangoModelFactory[RefusedAddress]):
    """The address of a person, refused on two days: they get no mail."""

    class Meta:
        model = RefusedAddress

    recipient = factory.SubFactory(UserFactory)
    address = factory.SelfAttribute("recipient.email")
    first_at = factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))
    first_words = "550 5.1.1 No such mailbox"
    last_at = factory.LazyFunction(timezone.now)
    last_words = "550 5.1.1 Still no such mailbox"
    stopped_at = factory.LazyFunction(timezone.now)
