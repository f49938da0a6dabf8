"""Tasks that do no good."""

import os
import signal


def die() -> None:
    """As when the system runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def hoard() -> None:
    bytearray(2**30)


def behave() -> str:
    return "well"
