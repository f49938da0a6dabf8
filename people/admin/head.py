"""What the page of a person begins with: who it is, in which state, and what support asks for first."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms.models import Access
from lms.permissions import can_see_accesses
from payments.models import Payment
from payments.permissions import can_see_payments
from people.current_user import current_user
from people.models import BlockReason, Invitation, User
from people.models.roles import title_of
from project.common.admin.base import Label, clocked, display, moment_shown
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact
from project.common.money import shown
from project.mail.refusals import is_reachable

STATE_COLOURS = {
    "active": "success",
    "invited": "info",
    "expired": "warning",
    BlockReason.STAFF.value: "danger",
    BlockReason.INACTIVITY.value: "warning",
    BlockReason.ERASED.value: "info",
}


class PersonHead(HeadedAdmin[User]):
    def head_of(self, request: HttpRequest, row: User) -> Head:
        return Head(
            str(row),
            list(self._badges(row)),
            list(self._facts(request, row)),
            list(self._said(row)),
        )

    def _badges(self, person: User) -> Iterator[Badge]:
        state = self.state(person)
        yield Badge(state.text, STATE_COLOURS[state.key])
        if person.is_superuser or person.is_staff:
            yield Badge(self.role(person), "primary")
        if not (person.is_email_confirmed or person.is_awaited):
            yield Badge(_("email not confirmed"), "warning")
        if not is_reachable(person):
            yield Badge(_("mail does not arrive"), "danger")
        if person.kept_at:
            yield Badge(_("never blocked for inactivity"))

    def _facts(self, request: HttpRequest, person: User) -> Iterator[HeadFact]:
        viewer = current_user(request)
        yield HeadFact(_("email"), person.email)
        if person.phone:
            yield HeadFact(_("phone"), person.phone)
        if can_see_payments(viewer):
            paid = Payment.objects.filter(payer=person).totals()
            sums = [shown(one.net, one.currency) for one in paid if one.paid_number]
            link = reverse("admin:payments_payment_changelist", query={"q": person.email})
            yield HeadFact(_("paid in all"), " + ".join(sums) or "—", link if sums else "")
        if can_see_accesses(viewer):
            number = Access.objects.held_by(person).one_for_each_target().count()
            yield HeadFact(_("may learn"), str(number))
        yield HeadFact(_("last visit"), clocked(person.was_here_at))
        yield HeadFact(_("joined"), date_format(localtime(person.date_joined)))
        yield HeadFact(_("language"), person.get_language_display())

    def _said(self, person: User) -> Iterator[str]:
        if person.is_awaited:
            yield self.invited(person)
        if person.blocked_at:
            yield _("Blocked since %s.") % moment_shown(person.blocked_at)
        if User.objects.filter(pk=person.pk).soon_blocked().exists():
            day = moment_shown(person.blocked_on)
            yield _("Will be blocked for inactivity on %s, unless they come back.") % day

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state(self, person: User) -> Label:
        if person.is_awaited and person.is_active:
            if person.invitation.is_expired:
                return Label("expired", _("invitation expired"))
            return Label("invited", _("invited"))
        if person.is_active:
            return Label("active", _("active"))
        reason = person.get_blocked_reason_display()
        return Label(person.blocked_reason or BlockReason.STAFF.value, reason or _("blocked"))

    @display(description=gettext_lazy("invitation"))
    def invited(self, person: User) -> str:
        """Who is awaited until when, by whom, and as what."""
        invitation: Invitation = person.invitation
        roles = ", ".join(title_of(role) for role in invitation.roles.all())
        known = {
            "at": moment_shown(invitation.sent_at),
            "until": moment_shown(invitation.expires_at),
            "by": invitation.invited_by or "—",
            "roles": roles or "—",
        }
        text = _("Sent on %(at)s · valid until %(until)s · invited by %(by)s · roles: %(roles)s")
        return text % known

    @display(description=gettext_lazy("role"))
    def role(self, person: User) -> str:
        if person.is_superuser:
            return _("administrator")
        return self.roles(person) or (_("staff") if person.is_staff else "—")

    @display(description=gettext_lazy("roles"))
    def roles(self, person: User) -> str:
        return ", ".join(sorted(title_of(group) for group in person.groups.all()))
