"""The data set of the measurements, the same each time: whoever counts can compare.

1,000 courses of 50 authors with 10 lessons each, 20,000 payments of 400 learners, and what hangs
on them.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import connection

if TYPE_CHECKING:
    from people.models import User

ROLES = {"author": 50, "moderator": 5, "administrator": 2, "learner": 400}
AUTHORS, LEARNERS = ROLES["author"], ROLES["learner"]
COURSES, LESSONS, PAYMENTS = 1_000, 10, 20_000
SUBSCRIPTIONS, ACCESSES = 20, 10
SIZE = (
    f"{COURSES:,} courses × {LESSONS} lessons, {PAYMENTS:,} payments, {sum(ROLES.values())} people"
)
START = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
PROSE = "Flour, water, salt and time; what else there is to know comes one step after the other. "
SUBJECTS = [
    "Bread", "Sourdough", "Watercolour", "Guitar", "Algebra", "Geometry", "Хлеб", "Химия",
    "Python", "Statistics", "Gardening", "Chess", "Japanese", "Spanish", "Photography", "Physics",
    "Sewing", "Pottery", "Writing", "Astronomy",
]  # fmt: skip
METHODS = ["cash", "transfer", "stripe"]
STATUSES = ["paid"] * 14 + ["pending", "pending", "failed", "failed", "expired", "refunded"]


def make_data_set() -> None:
    """Fill a migrated, empty database."""
    make_people()
    make_courses()
    make_bonds()
    make_payments()
    analyze()


def people(role: str, count: int | None = None) -> "list[User]":
    """The made-up people of a role, in order; the first `count` of them."""
    from people.models import User  # noqa: PLC0415 - Django is set up by now

    return list(User.objects.filter(email__startswith=role).order_by("pk")[:count])


def make_people() -> None:
    from people.models import User  # noqa: PLC0415
    from people.models.users import moderators_group  # noqa: PLC0415

    call_command("loaddata", "groups", verbosity=0)
    User.objects.bulk_create(
        User(
            email=f"{role}{number}@school.example",
            first_name=role.title(),
            is_superuser=role == "administrator",
            is_staff=role in {"administrator", "moderator"},
            last_login=START,
            email_confirmed_at=START,
        )
        for role, count in ROLES.items()
        for number in range(count)
    )
    moderators_group().user_set.set(people("moderator"))


def make_courses() -> None:
    from lms.models import Course, Lesson  # noqa: PLC0415

    authors = people("author")
    begins = [f"{one} for those who start. " + 2 * PROSE for one in SUBJECTS]
    courses = Course.objects.bulk_create(
        Course(
            owner=authors[number % AUTHORS],
            title=f"{SUBJECTS[number % len(SUBJECTS)]} from the beginning, part {number}",
            description=begins[number * 7 % len(SUBJECTS)],
            preview=f"courses/{number:032x}-1600x900.webp" if number % 2 else "",
            price=Decimal(number % 4 * 990),
            is_published=number % 21 != 0,
            created_at=START + timedelta(minutes=number),
            updated_at=START + timedelta(days=60, minutes=number * 7919 % COURSES),
        )
        for number in range(COURSES)
    )
    lessons = (
        Lesson(
            course=course,
            title=f"Lesson {position + 1} of {course.title}",
            description=PROSE,
            video_url=f"https://www.youtube.com/watch?v={course.pk:06d}{position:05d}",
            price=Decimal("99.50") if position % 3 == 0 else None,
            position=position,
            is_preview=position == 0,
            created_at=START,
            updated_at=START + timedelta(days=position),
        )
        for course in courses
        for position in range(LESSONS)
    )
    Lesson.objects.bulk_create(lessons, batch_size=2000)


def make_bonds() -> None:
    """Who follows and who may learn what."""
    from lms.models import (  # noqa: PLC0415
        Access,
        AccessSource,
        Completion,
        Course,
        Lesson,
        Subscription,
    )

    courses, learners = list(Course.objects.order_by("pk")), people("learner")

    def chosen(number: int, count: int) -> list[Course]:
        return [courses[(number * 31 + step * 17) % COURSES] for step in range(count)]

    Subscription.objects.bulk_create(
        Subscription(user=person, course=course, created_at=START)
        for number, person in enumerate(learners + people("author"))
        for course in chosen(number, SUBSCRIPTIONS)
    )
    Access.objects.bulk_create(
        Access(user=person, course=course, source=AccessSource.GRANT, created_at=START)
        for number, person in enumerate(learners)
        for course in chosen(number, ACCESSES)
    )
    first_lessons: dict[int, list[int]] = {course.pk: [] for course in courses}
    for pk, course_id in Lesson.objects.order_by("position").values_list("pk", "course_id"):
        first_lessons[course_id].append(pk)
    Completion.objects.bulk_create(
        Completion(user=person, lesson_id=lesson_id, created_at=START)
        for number, person in enumerate(learners)
        for course in chosen(number, ACCESSES)
        for lesson_id in first_lessons[course.pk][: (number + course.pk) % (LESSONS + 1)]
    )


def make_payments() -> None:
    from lms.models import Course  # noqa: PLC0415
    from payments.models import Payment  # noqa: PLC0415

    learners, courses = people("learner"), list(Course.objects.order_by("pk"))

    def payment(number: int) -> Payment:
        step = number // LEARNERS
        course = courses[(number % LEARNERS * 7 + step * 13) % COURSES]
        method = METHODS[number * 11 % 3]
        status = STATUSES[(number * 7 + step) % len(STATUSES)]
        created_at = START + timedelta(minutes=number * 4801 % 200_000)
        session = f"cs_test_{number}" if method == "stripe" else ""
        amount = Decimal(990 + number % 50 * 100)
        return Payment(
            payer=learners[number % LEARNERS],
            course=course,
            title=course.title,
            amount=amount,
            refunded_amount=amount if status == "refunded" else 0,
            currency="RUB",
            method=method,
            status=status,
            created_at=created_at,
            paid_at=created_at + timedelta(hours=1) if status in {"paid", "refunded"} else None,
            external_id=f"book-{number}",
            session_id=session,
            session_url=f"https://checkout.stripe.com/c/pay/{session}" if session else "",
            session_expires_at=START + timedelta(days=3650) if session else None,
        )

    Payment.objects.bulk_create(map(payment, range(PAYMENTS)), batch_size=5000)


def analyze() -> None:
    """Let the database know how much there is where, as its own housekeeping would."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def version() -> str:
    """The database and its version."""
    return f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}"
