"""How an email that was sent is shown: its headers, its text, and its HTML in a frame that loads and
runs nothing."""

from email.header import decode_header, make_header
from email.utils import parseaddr

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import pgettext

from project.common.admin.base import AdministratorsAdmin, moment_shown
from project.mail.frames import framed_letter
from project.mail.kinds import WITHHELD
from project.mail.mime import message_id
from project.mail.models import Delivery, KeptLetter, Mailing


def shown_letter(letter: KeptLetter, delivery: Delivery | None = None) -> str:
    """The letter; with a delivery, also what its message alone had."""
    headers = [(pgettext("email", "From"), str(make_header(decode_header(letter.sender))))]
    if letter.reply_to:
        headers.append(("Reply-To", letter.reply_to))
    if delivery:
        headers += [
            (pgettext("email", "To"), delivery.sent_to),
            (pgettext("email", "Date"), moment_shown(delivery.finished_at)),
        ]
    headers.append((pgettext("email", "Subject"), letter.subject))
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
    address = reverse("admin:mail_letter", args=[letter.pk])
    return render_to_string(
        "admin/mail/letter.html", {"letter": letter, "headers": headers, "address": address}
    )


class LettersAdmin(AdministratorsAdmin[Mailing]):
    """The address of the frame."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.letter_view)
        return [path("letter/<int:letter_id>/", view, name="mail_letter"), *super().get_urls()]

    def letter_view(self, request: HttpRequest, letter_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        letter = get_object_or_404(KeptLetter, pk=letter_id)
        return framed_letter(letter.html)
