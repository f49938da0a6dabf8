"""What a new school needs, on the dashboard of administrators until they hide it. Each step is done when
the database shows that it was."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from lms.models import Access, Course, Subscription
from payments.models import Payment, PaymentMethod, StripeEvent
from project.common.frontend import start_page
from project.mail.models import Delivery, DeliveryStatus, MailServer
from project.mail.outbox import keeps_mails
from project.school.current import in_effect
from project.school.models import School


@dataclass(frozen=True)
class Step:
    title: str
    is_done: bool
    # What it is for, and what it takes.
    text: str
    way: str
    url: str


@dataclass(frozen=True)
class Checklist:
    steps: Sequence[Step]

    @property
    def done(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def is_complete(self) -> bool:
        return self.done == len(self.steps)


def checklist_of(request: HttpRequest) -> Checklist | None:
    school = School.objects.filter(pk=1).first() or School(pk=1)
    if not (request.user.is_superuser and school.shows_checklist):
        return None
    return Checklist([*_steps_of_school(school), _mail(), *_steps_of_courses(), _payment()])


def _steps_of_school(school: School) -> list[Step]:
    settings_page = reverse("admin:school_school_change", args=[1])
    known = {"zone": in_effect(school).time_zone, "currency": settings.CURRENCY}
    return [
        Step(
            _("Name and face of the school"),
            bool(school.name and (school.logo or school.colour)),
            _("People see them in emails, on receipts and pages. Logo or colour, one is enough."),
            _("Say what the school is"),
            settings_page,
        ),
        Step(
            _("Time zone and currency"),
            bool(school.time_zone),
            _(
                "Times are shown in the zone %(zone)s: choose the school’s own. Prices are in %(currency)s; "
                "whoever runs the server can change that before the first sale (CURRENCY in .env)."
            )
            % known,
            _("Choose the time zone"),
            f"{settings_page}#id_time_zone",
        ),
    ]


def _mail() -> Step:
    tried = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(MailServer))
    sent = Delivery.objects.filter(status=DeliveryStatus.SENT)
    text = _("Invitations, confirmations and receipts come by email. See whether one arrives.")
    kept = _("No mail server is set (EMAIL_URL in .env): emails are kept on the page /outbox/.")
    return Step(
        _("Emails"),
        tried.exists() or sent.exists(),
        f"{text} {kept}" if keeps_mails() else text,
        _("Send a test email"),
        reverse("admin:mail_mailserver_send_test", args=[1]),
    )


def _steps_of_courses() -> list[Step]:
    first = Course.objects.order_by("-is_published", "pk").first()
    course = reverse("admin:lms_course_change", args=[first.pk]) if first else ""
    learners = reverse("admin:lms_course_participants", args=[first.pk]) if first else ""
    people, new_course = reverse("admin:people_user_add"), reverse("admin:lms_course_add")
    return [
        Step(
            _("First author"),
            first is not None,
            _("Somebody who writes courses: invite them, or begin a course yourself."),
            _("Invite a person"),
            people,
        ),
        Step(
            _("First course"),
            first is not None and first.is_published,
            _("Give it lessons and a price, and publish it: only then others see it."),
            _("Open the course") if first else _("Add a course"),
            course or new_course,
        ),
        Step(
            _("First learner"),
            Access.objects.exists() or Subscription.objects.exists(),
            _("Enrol people from a list, or tell them the address of the school: %s")
            % start_page(),
            _("Enrol people") if first else _("Invite a person"),
            learners or people,
        ),
    ]


def _payment() -> Step:
    is_online = bool(settings.STRIPE_API_KEY)
    paid = Payment.objects.filter(paid_at__isnull=False)
    if is_online:
        paid = paid.filter(method=PaymentMethod.STRIPE)
    if settings.STRIPE_SANDBOX:
        text = _("Buy a course as a learner would. A stand-in for Stripe takes no real money here.")
    elif is_online:
        text = _(
            "Buy a course as a learner would: with a test key of Stripe, by one of its test cards."
        )
    else:
        text = _(
            "Stripe is not set up (STRIPE_API_KEY in .env): record a payment in cash or by transfer."
        )
    return Step(
        _("Payments"),
        paid.exists() or StripeEvent.objects.exists(),
        text,
        _("Open the school") if is_online else _("Record a payment"),
        start_page() if is_online else reverse("admin:payments_payment_add"),
    )
