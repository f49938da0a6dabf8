"""What belongs to a person, on their page. Each app above `lms` has its own section here."""

from datetime import datetime
from typing import cast

from django.contrib.admin import site
from django.db.models import Model, QuerySet, Value
from django.http import HttpRequest
from django.template.defaultfilters import linebreaksbr
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from lms.models import Access, Course, Subscription
from lms.permissions import can_see_accesses
from payments.models import Payment
from payments.models.querysets import PaymentQuerySet
from payments.permissions import can_see_payments
from people.clients import in_words
from people.current_user import current_user
from people.mails import own_kinds
from people.models import AdminSession, LogIn, StaffMessage, TokenFamily, User
from people.models.admin_sessions import AdminSessionQuerySet
from people.models.token_families import TokenFamilyQuerySet
from people.permissions import can_change_people, can_see_log_ins
from project.common.admin.base import ReadOnlyInline, column, display
from project.common.money import price_shown
from project.mail.models import Delivery


class SubscriptionInline(ReadOnlyInline[Subscription, User]):
    model = Subscription
    fields = ("course", "course_mails", "created_at")
    readonly_fields = fields
    show_title = False
    verbose_name_plural = _("subscriptions")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever may see the person sees what they follow."""
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("course")


class CourseInline(ReadOnlyInline[Course, User]):
    model = Course
    fk_name = "owner"
    fields = ("title", "is_published", "price_shown", "updated_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("courses")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return True

    @display(description=_("price"))
    def price_shown(self, course: Course) -> str:
        return price_shown(course.price, course.currency)


class AccessInline(ReadOnlyInline[Access, User]):
    model = Access
    fk_name = "user"
    fields = ("target", "source", "created_at", "revoked_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("accesses")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return can_see_accesses(current_user(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Access]:
        return super().get_queryset(request).select_related("user", "course", "lesson")

    @display(description=_("for"))
    def target(self, access: Access) -> str:
        # A row that came while the form was open stands here empty, when the form is shown again.
        return str(access.target) if access.pk else ""


class OfLogIn[C: Model](ReadOnlyInline[C, User]):
    """From where and with what somebody logged in, for administrators."""

    show_title = False

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return can_see_log_ins(current_user(request))

    @display(description=_("device"))
    def device_shown(self, row: TokenFamily | AdminSession | LogIn) -> str:
        return in_words(row.device)


class TokenFamilyInline(OfLogIn[TokenFamily]):
    model = TokenFamily
    fields = readonly_fields = ("device_shown", "address", "begun_at", "issued_at")
    ordering = ("-issued_at", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TokenFamily]:
        return cast(TokenFamilyQuerySet, super().get_queryset(request)).alive()


class AdminSessionInline(OfLogIn[AdminSession]):
    model = AdminSession
    fields = readonly_fields = ("device_shown", "address", "begun_at", "last_used_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AdminSession]:
        return cast(AdminSessionQuerySet, super().get_queryset(request)).alive()


class LogInInline(OfLogIn[LogIn]):
    model = LogIn
    fields = readonly_fields = ("at", "door", "outcome", "device_shown", "address")


class PaymentInline(ReadOnlyInline[Payment, User]):
    model = Payment
    fields = ("title", "amount_shown", "method", "status", "created_at", "paid_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("payments")

    amount_shown = column("shown_amount", _("amount"))

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return can_see_payments(current_user(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return cast(PaymentQuerySet, super().get_queryset(request)).whole()


class StaffMessageInline(ReadOnlyInline[StaffMessage, User]):
    model = StaffMessage
    fk_name = "recipient"
    fields = ("created_at", "sender", "subject", "text_shown")
    readonly_fields = fields
    show_title = False

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return can_change_people(current_user(request))

    @display(description=_("text"))
    def text_shown(self, message: StaffMessage) -> SafeString:
        return linebreaksbr(message.text)  # empty in a row that came while the form was open

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffMessage]:
        rows = super().get_queryset(request).select_related("sender")
        if not can_see_payments(current_user(request)):
            rows = rows.filter(reference="")
        return rows


class DeliveryInline(ReadOnlyInline[Delivery, User]):
    """Mails to the person, with their pages for who may open these."""

    model = Delivery
    fields = ("mail", "asked_at", "status", "reason_shown", "finished_at")
    readonly_fields = fields
    ordering = ("-pk",)
    show_title = False
    verbose_name_plural = _("emails")

    reason_shown = column("reason", _("reason"))

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return can_change_people(current_user(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        user = current_user(request)
        is_open = site.get_model_admin(Delivery).has_view_permission(request)
        rows = super().get_queryset(request).select_related("mailing")
        if not (can_see_accesses(user) and can_see_payments(user)):
            # Others tell what somebody learns, and pays for.
            rows = rows.filter(mailing__kind__in=own_kinds())
        return rows.annotate(is_open=Value(is_open))

    @display(description=_("which email"))
    def mail(self, delivery: Delivery) -> str:
        if not delivery.pk:  # it came while the form was open
            return ""
        if not delivery.is_open:  # type: ignore[attr-defined]
            return str(delivery.mailing)
        link = reverse("admin:mail_delivery_change", args=[delivery.pk])
        return format_html('<a href="{}">{}</a>', link, delivery.mailing)

    @display(description=_("created"))
    def asked_at(self, delivery: Delivery) -> datetime | None:
        return delivery.mailing.created_at if delivery.pk else None
