"""What an app tells the outbox about a kind of mail of its own, in a module of settings.MAIL_KINDS."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from secrets import token_hex
from textwrap import shorten
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet
from django.template.loader import render_to_string, select_template
from django.utils import timezone, translation

from project.common.texts import one_line
from project.mail.headers import uri
from project.school.current import current_school

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from people.models import User

PREHEADER = 150
SPARE_LINES = re.compile(r"\n{3,}")
# Stands in a letter for the address of its recipient's own link, so that a letter to many people
# is rendered once. It leaves this process in no mail: nobody can write it into a text.
UNSUBSCRIBE_MARK = f"https://unsubscribe.invalid/{token_hex(16)}/"
SECRET_MARK = f"https://secret.invalid/{token_hex(16)}/{{name}}/"
# What is shown of a link that is not kept.
WITHHELD = "•••"


@dataclass(frozen=True, slots=True)
class Secret:
    """An address in a mail that lets whoever opens it do something: it stands in what is sent, and in
    nothing that is kept of it."""

    address: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in the language of its recipient. With an `unsubscribe_url` it gets the headers of
    RFC 8058, and the url takes the place of UNSUBSCRIBE_MARK in the bodies, as each secret that of its
    mark. Answers go to `reply_to`, if that is not empty."""

    subject: str
    text: str
    html: str
    unsubscribe_url: str = ""
    secrets: tuple[tuple[str, Secret], ...] = ()
    reply_to: str = ""

    @property
    def links(self) -> list[tuple[str, str]]:
        """Marks in the bodies, and what takes their place when the letter is sent."""
        own = [(mark, uri(secret.address)) for mark, secret in self.secrets]
        return [(UNSUBSCRIBE_MARK, uri(self.unsubscribe_url)), *own]

    def filled_in(self, body: str) -> str:
        for mark, address in self.links:
            body = body.replace(mark, address)
        return body

    def withholding(self, body: str) -> str:
        """As filled in, with a sign in the place of each address."""
        for mark, _address in self.links:
            body = body.replace(mark, WITHHELD)
        return body


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a person does not get the mail any more; marked with `gettext_noop` for the admin."""

    reason: str


class MailKind:
    """One kind of mail. Its methods read and render; they send and change nothing."""

    # Mailings are stored under it; without a name a class is only a base of others.
    name: ClassVar[str] = ""
    # For the administrators who look after the mails.
    label: "ClassVar[StrOrPromise]" = ""
    # Somebody waits for it: it is sent before what goes to many.
    urgent: ClassVar[bool] = False
    # Its recipient asked for it just now: worth a try even where mail was refused.
    asked_for: ClassVar[bool] = False
    # It goes to an address, too, of which nobody has shown yet that they read it.
    reaches_unconfirmed: ClassVar[bool] = False
    # Anybody can have it sent to an address by naming it: under this word it counts against what the
    # address gets in a day (project/mail/limits.py).
    counts_as: ClassVar[str] = ""
    # Many get the same letter, but for their own link, and nothing in it is about one of them: it is
    # kept once, and not as theirs.
    is_shared: ClassVar[bool] = False
    # Only staff can: an address gets as many of these, proven or not.
    is_by_staff: ClassVar[bool] = False

    def audience(self, subject_id: int) -> tuple[QuerySet[Model], str]:
        """The rows that name the recipients, and the name of the field with the person's key. Only
        for kinds that are sent with `services.send_to_audience`."""
        raise NotImplementedError(subject_id)

    def write(
        self, subject_id: int | None, people: Iterable["User"]
    ) -> Mapping[int, Letter | Skip]:
        """What each of these people gets at this moment, by primary key of the person.

        Who was blocked is among them: it depends on the kind whether they get it.
        """
        raise NotImplementedError(subject_id, people)


def mail_kinds() -> Mapping[str, MailKind]:
    """All kinds by their names."""
    return _kinds_of(*settings.MAIL_KINDS)


@cache
def _kinds_of(*modules: str) -> Mapping[str, MailKind]:
    found = [value for module in modules for value in vars(import_module(module)).values()]
    classes = {kind for kind in found if isinstance(kind, type) and issubclass(kind, MailKind)}
    kinds = sorted((kind() for kind in classes if kind.name), key=lambda kind: kind.name)
    if twice := [one.name for one, other in pairwise(kinds) if one.name == other.name]:
        raise ImproperlyConfigured(f"Two kinds of mail have the same name: {', '.join(twice)}")
    return {kind.name: kind for kind in kinds}


def mail_kind(name: str) -> MailKind:
    """The kind of this name. Raises KeyError if there is none."""
    return mail_kinds()[name]


def counted_kinds() -> list[str]:
    """The names of the kinds that anybody can have sent to an address by naming it."""
    return [name for name, kind in mail_kinds().items() if kind.counts_as]


def label_of(name: str) -> str:
    """What people call the kind; one that is not known any more goes by its name."""
    kind = mail_kinds().get(name)
    return str(kind.label) or name if kind else name


def render(template: str, language: str, context: Mapping[str, object]) -> Letter:
    """Render `templates/mail/<template>.subject.txt` and `.txt` in the language.

    The HTML part is made of the same `.txt`, so that both say the same; a mail that needs other HTML
    has an `.html` as well. Both extend `base`, and in the context `link` is where the button leads,
    `author` the name of the person who writes, if it is not the school.
    """
    school, site, name = current_school(), settings.FRONTEND_URL, f"mail/{template}"
    secrets = {key: value for key, value in context.items() if isinstance(value, Secret)}
    marks = {key: SECRET_MARK.format(name=key) for key in secrets}
    known = {"school": school, "site": site, **context, **marks, "language": language}
    with translation.override(language), timezone.override(school.zone):
        subject = one_line(render_to_string(f"{name}.subject.txt", known))
        rendered = render_to_string(f"{name}.txt", known | {"base": "mail/base.txt"})
        text = SPARE_LINES.sub("\n\n", rendered.strip()) + "\n"
        _greeting, said, *_others = text.split("\n\n", 2)
        in_html = {
            "base": "mail/base.html",
            "is_html": True,
            "heading": subject,
            # Lists of mails show it beside the subject.
            "preheader": shorten(said, PREHEADER, placeholder="…"),
        }
        html = select_template([f"{name}.html", f"{name}.txt"]).render(known | in_html)
    withheld = tuple((marks[key], secret) for key, secret in secrets.items())
    return Letter(subject, text, html, secrets=withheld)
