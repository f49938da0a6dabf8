"""`manage.py audit_links`: stored texts with links that the rule of today refuses."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import batched

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils.translation import gettext as _

from lms.models import Course, Lesson
from lms.services.auditing import Finding, find_links

MODELS = {model._meta.label_lower: model for model in (Course, Lesson)}
MOST_PROCESSES = 64


class Command(BaseCommand):
    help = (
        "Lists each link in titles, descriptions and video addresses of courses and lessons, their "
        "history too, and in names of people, that would be refused today. Changes nothing. Exit code "
        "1 if there is any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument(
            "--without-history", action="store_true", help="leave out what was changed since"
        )
        parser.add_argument(
            "--processes",
            type=int,
            choices=range(1, MOST_PROCESSES + 1),
            metavar="N",
            default=min(os.cpu_count() or 1, MOST_PROCESSES),
            help="how many judge the texts (default: one for each processor)",
        )

    def handle(
        self,
        *,
        json: bool = False,
        without_history: bool = False,
        processes: int = 1,
        **options: object,
    ) -> None:
        number = 0
        found = find_links(with_history=not without_history, processes=processes)
        try:
            for finding, address in _with_addresses(found):
                number += 1
                self.stdout.write(
                    _as_json(finding, address) if json else _as_text(finding, address)
                )
            if not number and not json:
                self.stdout.write(_("No link is where it is not allowed."))
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough, as `head`. Python would write what is left once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
            sys.exit(min(number, 1))
        if number:
            raise CommandError(_("Links that are not allowed: %(number)s.") % {"number": number})


def _with_addresses(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str | None]]:
    """With the page of the admin where each is seen; None if its course or lesson is deleted."""
    for part in batched(findings, 100):
        there = {
            label: set(
                model._default_manager.filter(  # noqa: SLF001 - documented
                    pk__in=[one.pk for one in part if one.model == label]
                ).values_list("pk", flat=True)
            )
            for label, model in MODELS.items()
        }
        for finding in part:
            is_there = finding.model not in MODELS or finding.pk in there[finding.model]
            page = "history" if finding.history_id else "change"
            name = f"admin:{finding.model.replace('.', '_')}_{page}"
            address = f"{settings.SITE_URL}{reverse(name, args=[finding.pk])}"
            yield finding, address if is_there else None


def _as_json(finding: Finding, address: str | None) -> str:
    return json.dumps(finding._asdict() | {"admin_url": address}, ensure_ascii=False)


def _as_text(finding: Finding, address: str | None) -> str:
    state = f" (history {finding.history_id})" if finding.history_id else ""
    place = f"{finding.model} {finding.pk}{state}, {finding.field}, line {finding.line}"
    return f"{place}: {finding.code} {finding.link!r} {address or ''}".rstrip()
