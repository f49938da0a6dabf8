"""How an email is shown, as it was sent or would be now: its headers, its text, and its HTML in a frame
that loads and runs nothing."""

from email.header import decode_header, make_header
from email.utils import parseaddr

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from project.common.admin.base import AdministratorsAdmin, moment_shown
from project.mail.frames import framed_letter
from project.mail.kinds import WITHHELD, Skip
from project.mail.letters import written_anew
from project.mail.mime import message_id
from project.mail.models import FAILED, Delivery, DeliveryStatus, KeptLetter, Mailing

type Header = tuple[str, str]


def look_at(delivery: Delivery) -> str:
    """The letter as it was sent; of a mail that is not, as it would be now."""
    if delivery.letter:
        return shown_letter(delivery.letter, delivery)
    if delivery.status not in {DeliveryStatus.WAITING, *FAILED}:
        return "—"
    try:
        letter = written_anew(delivery)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from being sent is to be read here
        return _("This email can't be written: %(error)s") % {"error": repr(error)}
    if isinstance(letter, Skip):
        return _("It will not be sent: %(reason)s.") % {"reason": _(letter.reason)}
    address = reverse("admin:mail_written_anew", args=[delivery.pk])
    return _rendered(letter, [*_sender(letter), _subject(letter)], address, is_anew=True)


def shown_letter(letter: KeptLetter, delivery: Delivery | None = None) -> str:
    """As it was sent; with a delivery, also what its message alone had."""
    headers = _sender(letter)
    if delivery:
        headers += [
            (pgettext("email", "To"), delivery.sent_to),
            (pgettext("email", "Date"), moment_shown(delivery.finished_at)),
        ]
    headers.append(_subject(letter))
    if delivery:
        domain = parseaddr(letter.sender)[1].rpartition("@")[2]
        identity = message_id(delivery.pk, delivery.mailing.created_at, domain)
        headers.append(("Message-ID", identity))
    headers.append(("Auto-Submitted", "auto-generated"))
    if letter.unsubscribes:
        headers += [
            ("List-Unsubscribe", f"<{WITHHELD}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ]
    return _rendered(letter, headers, reverse("admin:mail_letter", args=[letter.pk]))


def _sender(letter: KeptLetter) -> list[Header]:
    told = [(pgettext("email", "From"), str(make_header(decode_header(letter.sender))))]
    return [*told, ("Reply-To", letter.reply_to)] if letter.reply_to else told


def _subject(letter: KeptLetter) -> Header:
    return pgettext("email", "Subject"), letter.subject


def _rendered(
    letter: KeptLetter, headers: list[Header], address: str, *, is_anew: bool = False
) -> str:
    shown = {"letter": letter, "headers": headers, "address": address, "is_anew": is_anew}
    return render_to_string("admin/mail/letter.html", shown)


class LettersAdmin(AdministratorsAdmin[Mailing]):
    """The addresses of the frames."""

    def get_urls(self) -> list[URLPattern]:
        kept, anew = map(self.admin_site.admin_view, (self.letter_view, self.anew_view))
        return [
            path("letter/<int:letter_id>/", kept, name="mail_letter"),
            path("anew/<int:delivery_id>/", anew, name="mail_written_anew"),
            *super().get_urls(),
        ]

    def letter_view(self, request: HttpRequest, letter_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        letter = get_object_or_404(KeptLetter, pk=letter_id)
        return framed_letter(letter.html)

    def anew_view(self, request: HttpRequest, delivery_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        letter = written_anew(get_object_or_404(Delivery, pk=delivery_id))
        if isinstance(letter, Skip):
            raise Http404
        return framed_letter(letter.html)
