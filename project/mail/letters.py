"""Letters as they were sent, kept for staff: once for all who got the same, and without the links that
let whoever opens them do something."""

from hashlib import sha256

from project.mail.kinds import Letter, mail_kind
from project.mail.mime import sender
from project.mail.models import KeptLetter, Mailing


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
        said = {
            "sender": sender(),
            "reply_to": letter.reply_to,
            "subject": letter.subject,
            "text": letter.withholding(letter.text),
            "html": letter.withholding(letter.html),
            "unsubscribes": bool(letter.unsubscribe_url),
        }
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
