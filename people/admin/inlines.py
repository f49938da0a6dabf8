"""What belongs to a person, on their page. Each app above `lms` has its own section here."""

from typing import cast

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from lms.models import Access, Course, Subscription
from lms.permissions import can_see_accesses
from payments.models import Payment
from payments.models.querysets import PaymentQuerySet
from payments.permissions import can_see_payments
from people.clients import in_words
from people.current_user import current_user
from people.models import AdminSession, LogIn, TokenFamily, User
from people.models.admin_sessions import AdminSessionQuerySet
from people.models.token_families import TokenFamilyQuerySet
from people.permissions import can_see_log_ins
from project.common.admin.base import ReadOnlyInline, column, display
from project.common.money import shown


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
        return shown(course.price, course.currency)


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
