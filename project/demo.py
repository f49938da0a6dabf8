"""The demo school: `fixtures/demo.json` with its pictures, and the passwords that are not in it.

The fixture holds no password, so that loading it by hand opens no door. With DEBUG the accounts get
a password that everybody can know, and that lets nobody in without DEBUG; without it, a random one
that is told once.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core.management import call_command
from django.db import transaction
from django.db.models import DateTimeField, F, Max
from django.utils import timezone
from django.utils.crypto import get_random_string

from lms.models import Completion, Course, Lesson, Subscription
from lms.services import authoring
from payments.models import Dispute, LedgerEntry, Payment, Refund
from payments.services import books
from people.models import User
from people.models.querysets import DEMO_DOMAIN
from people.models.users import DEMO_PASSWORD
from project.common.images import Picture, stored_image
from project.mail.models import Delivery, Mailing, RefusedAddress

MODELS: tuple[Any, ...] = (
    *(User, Course, Lesson, Subscription, Completion),
    *(Payment, Refund, Dispute, Mailing, Delivery, RefusedAddress),
)
PICTURES = settings.BASE_DIR / "fixtures" / "pictures"
SIZE = (1280, 720)
# What a moderator has written on, for somebody to look at and to put back.
EDITED = 2
EDIT = "\n\nРедактор подойдёт любой: от блокнота до PyCharm."


@dataclass(frozen=True)
class Account:
    email: str
    password: str
    role: str


def load() -> list[Account]:
    """Load the demo school into a database without people; return the accounts one can log in to.

    Accounts of an earlier run are returned as long as they have the well-known password.
    """
    if User.objects.exists():
        return _accounts(DEMO_PASSWORD) if settings.DEBUG else []
    password = DEMO_PASSWORD if settings.DEBUG else get_random_string(20)
    with transaction.atomic():
        call_command("loaddata", "demo", verbosity=0)
        _bring_up_to_date()
        # Of those who can log in the fixture doesn't know when they did: they were here just now. One
        # hash for all: it takes half a second, by intention.
        User.objects.of_the_demo().filter(last_login=None).update(
            password=make_password(password), last_login=timezone.now()
        )
        # The payments of the fixture are written as they are: give what was paid for, and post it on
        # the days that it has now.
        LedgerEntry.objects.all().delete()
        for found in list(books.find_in_books()):
            if found.repair is not None:
                found.repair()
    for course in Course.objects.order_by("pk"):
        content, thumbnail = (
            (PICTURES / f"course-{course.pk}.{kind}").read_bytes()
            for kind in ("webp", "small.webp")
        )
        with stored_image(course, "preview", Picture(content, SIZE, thumbnail)) as name:
            Course.objects.filter(pk=course.pk).update(preview=name)
    lesson = Lesson.objects.get(pk=EDITED)
    moderator = User.objects.with_is_moderator().get(email=f"moderator{DEMO_DOMAIN}")
    changes = {"description": lesson.description + EDIT}
    authoring.update_lesson(lesson=lesson, changes=changes, by=moderator)
    return _accounts(password)


def _bring_up_to_date() -> None:
    """Move the school's past by whole days, so that its last payment was made within the last day
    and the dashboard has a month to show."""
    # The materials have been quiet since, so that a first edit is told to subscribers at once.
    Course.objects.update(materials_updated_at=F("updated_at"))
    newest = Payment.objects.aggregate(newest=Max("created_at"))["newest"]
    shift = timedelta(days=(timezone.now() - newest).days)
    for model in MODELS:
        moments = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
        model.objects.update(**{name: F(name) + shift for name in moments})


def _accounts(password: str) -> list[Account]:
    """Those with this password; most have the same hash, which is checked once."""
    people = User.objects.of_the_demo().with_is_moderator().order_by("pk")
    has_password = cache(partial(check_password, password))
    accounts = []
    for person in people:
        role = "author" if person.courses.exists() else "learner"
        if person.is_superuser or person.is_moderator:
            role = "administrator" if person.is_superuser else "moderator"
        if has_password(person.password):
            accounts.append(Account(person.email, password, role))
    return accounts
