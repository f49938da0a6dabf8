"""Libraries that are large and that most processes never need."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


def load_lazily(name: str) -> ModuleType:
    """Return a top-level module that is executed when something of it is first asked for. Raises
    ModuleNotFoundError at once if there is none."""
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name=name)
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
