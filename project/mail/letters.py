"""Letters as they were sent, kept for staff: once for all who got the same, and without the links that
let whoever opens them do something."""

from hashlib import sha256
from typing import Any

from django.utils.translation import gettext_noop

from project.mail.kinds import Letter, Skip, mail_kind
from project.mail.mime import sender
from project.mail.models import Delivery, KeptLetter, Mailing
from project.mail.refusals import reason_against, refusals_of

NO_LETTER = gettext_noop("no letter for this person")


class LettersOfMailing:
    """Of one mailing, as long as a batch of it is sent: the database is asked once for each letter."""

    def __init__(self, mailing: Mailing) -> None:
        self.mailing = mailing
        self.known: dict[tuple[int | None, str, str, str], int] = {}

    def keep(self, letter: Letter, recipient_id: int) -> int:
        """Keep the letter, unless it is kept; return its primary key."""
        owner = None if mail_kind(self.mailing.kind).is_shared else recipient_id
        key = (owner, letter.subject, letter.text, letter.html)
        if key not in self.known:
            self.known[key] = self._kept(letter, owner).pk
        return self.known[key]

    def _kept(self, letter: Letter, owner: int | None) -> KeptLetter:
        said = _withheld(letter)
        digest = sha256(repr((owner, said)).encode(errors="replace")).hexdigest()
        row = KeptLetter(mailing=self.mailing, digest=digest, recipient_id=owner, **said)
        # One statement, which gives the key of a row that is there, too.
        [kept] = KeptLetter.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["mailing", "digest"],
            update_fields=["digest"],
        )
        return kept


def _withheld(letter: Letter) -> dict[str, Any]:
    """The columns of a letter that is kept."""
    return {
        "sender": sender(),
        "reply_to": letter.reply_to,
        "subject": letter.subject,
        "text": letter.withholding(letter.text),
        "html": letter.withholding(letter.html),
        "unsubscribes": bool(letter.unsubscribe_url),
    }


def written_anew(delivery: Delivery) -> KeptLetter | Skip:
    """What a mail that is not sent would say at this moment, which is not kept, or why there would be
    none. Raises whatever keeps it from being written."""
    kind, person = mail_kind(delivery.mailing.kind), delivery.recipient
    person.email = delivery.address
    refusal = refusals_of([person]).get(person.pk)
    if reason := reason_against(kind, person, refusal):
        return Skip(reason)
    letter = kind.write(delivery.mailing.subject_id, [person]).get(person.pk, Skip(NO_LETTER))
    return letter if isinstance(letter, Skip) else KeptLetter(**_withheld(letter))
