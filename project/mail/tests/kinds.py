"""A kind of mail for tests: a notice to every active person."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from people.models import User
from project.mail.kinds import UNSUBSCRIBE_MARK, Letter, MailKind, Secret, Skip


class Notice(MailKind):
    name = "notice"

    def audience(self, subject_id: int) -> tuple[QuerySet[Any], str]:
        return User.objects.all(), "pk"

    def write(self, subject_id: int | None, people: Iterable[Any]) -> Mapping[int, Letter | Skip]:
        return {
            person.pk: Letter("Привет", f"Привет, {person.first_name}", "<p>Привет</p>")
            if person.is_active
            else Skip("blocked")
            for person in people
        }


class UrgentNotice(Notice):
    name = "urgent"
    urgent = True


class Counted(Notice):
    """Anybody can have it sent to an address."""

    name = "counted"
    counts_as = "notice"
    reaches_unconfirmed = True


class Shared(Notice):
    """The same for all, but for their links."""

    name = "shared"
    is_shared = True

    def write(self, subject_id: int | None, people: Iterable[Any]) -> Mapping[int, Letter | Skip]:
        secret = "https://secret.invalid/mark/"
        secrets = ((secret, Secret("https://school.example/secret/token/")),)
        text = f"<b>plain</b> {UNSUBSCRIBE_MARK} {secret}"
        html = f'<p><a href="{UNSUBSCRIBE_MARK}">x</a> <a href="{secret}">y</a></p>'
        link = "https://school.example/stop/{}/"
        return {
            person.pk: Letter(
                "Bread", text, html, link.format(person.pk), secrets, reply_to="desk@school.example"
            )
            for person in people
        }


class BrokenFor(Notice):
    """Can't be written for whoever is called Poison."""

    name = "broken_for"

    def write(self, subject_id: int | None, people: Iterable[Any]) -> Mapping[int, Letter | Skip]:
        people = list(people)
        if any(person.first_name == "Poison" for person in people):
            raise ZeroDivisionError
        return super().write(subject_id, people)


class Forgetful(Notice):
    """Writes to nobody called Poison."""

    name = "forgetful"

    def write(self, subject_id: int | None, people: Iterable[Any]) -> Mapping[int, Letter | Skip]:
        return super().write(subject_id, [one for one in people if one.first_name != "Poison"])


class BrokenList(Notice):
    name = "broken_list"

    def audience(self, subject_id: int) -> tuple[QuerySet[Any], str]:
        raise ZeroDivisionError
