"""Kills what the supervisor started once the supervisor itself is gone, even by SIGKILL.

Run as a script by project/processes/supervisor.py, in a session of its own. Standard input is a pipe from the
supervisor: each process that it starts writes its process group into it, and the end of the input
means that nobody is left to look after them.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    groups = [int(line) for line in sys.stdin]  # ends with the supervisor
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
