"""A mail server in a process of its own that takes everything, for measuring."""

import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Taker:
    """Accept each mail and forget it. Offers PIPELINING, as mail servers do."""

    async def handle_EHLO(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answers: list[str]
    ) -> list[str]:
        session.host_name = host
        return [*answers[:-1], "250-PIPELINING", answers[-1]]

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        return "250 OK"


if __name__ == "__main__":
    Controller(Taker(), hostname="127.0.0.1", port=int(sys.argv[1])).start()
    while True:
        time.sleep(3600)
