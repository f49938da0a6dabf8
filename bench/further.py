"""What is measured beside the single operations: each job has a database of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class FurtherJob:
    """`function` returns the figures, by name; it is looked up when it is called, because Django
    has to be set up before."""

    module: str
    function: str = "measure"
    needs_data_set: bool = False

    def is_there(self) -> bool:
        return hasattr(import_module(self.module), self.function)

    def measure(self) -> Figures:
        function: Callable[[], Figures] = getattr(import_module(self.module), self.function)
        return function()


JOBS = {
    "log-ins beside the list": FurtherJob("bench.logins", needs_data_set=True),
    "start": FurtherJob("bench.worker", "measure_start", needs_data_set=True),
    "memory": FurtherJob("bench.worker", "measure_memory", needs_data_set=True),
    "large tables": FurtherJob("bench.large"),
    "import": FurtherJob("bench.importing"),
    "mails": FurtherJob("bench.mail_fanout"),
    "sweep": FurtherJob("bench.sweep"),
}
