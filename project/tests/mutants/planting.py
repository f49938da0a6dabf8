"""Put a fault into the modules of a running process, wherever they were imported from."""

import ast
import gc
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import CodeType, FunctionType
from typing import Any

from project.tests.mutants.mutations import Mutant, Source
from project.tests.mutants.rules import is_cache, is_slow


class Functions:
    """The functions of a process as they are now, by file and name."""

    def __init__(self, sources: dict[str, Source]) -> None:
        paths = {str(source.path) for source in sources.values()}
        self.sources = sources
        self.found: dict[tuple[str, str], list[FunctionType]] = {}
        self.atomic: dict[int, FunctionType] = {}
        self.caches: list[Any] = []
        gc.unfreeze()  # conftest.py hides from `gc` what is there
        for one in gc.get_objects():
            if is_cache(one):
                self.caches.append(one)
            elif type(one) is FunctionType:
                code = one.__code__
                if code.co_filename in paths:
                    self.found.setdefault((code.co_filename, code.co_qualname), []).append(one)
                elif code.co_qualname == "ContextDecorator.__call__.<locals>.inner":
                    self.atomic[id(vars(one)["__wrapped__"])] = one

    def plant(self, mutant: Mutant) -> None:
        """Raises LookupError if nothing in this process is what the mutant changes."""
        source = self.sources[mutant.module]
        tree = source.mutated(mutant.number)
        for cache in self.caches:
            if not is_slow(cache) or cache.__name__ == mutant.function:
                cache.cache_clear()
        if mutant.before.startswith("transaction.atomic in "):
            self._open_no_transaction(source, mutant)
        elif mutant.function:
            self._replace_code(source, mutant, tree)
        else:
            self._replace_value(mutant, tree)

    def _replace_code(self, source: Source, mutant: Mutant, tree: ast.Module) -> None:
        functions = self._functions(source, mutant)
        _name_again(tree, mutant.function, functions[0].__code__.co_freevars)
        code = _find(compile(tree, str(source.path), "exec"), mutant.function)
        for function in functions:
            function.__code__ = code
        # Functions that this one has made already keep the code they were made with.
        for inner in _codes(code):
            for function in self.found.get((str(source.path), inner.co_qualname), []):
                if function.__code__.co_freevars == inner.co_freevars:
                    function.__code__ = inner

    def _open_no_transaction(self, source: Source, mutant: Mutant) -> None:
        for function in self._functions(source, mutant):
            inner = self.atomic[id(function)]
            names = inner.__code__.co_freevars
            (inner.__closure__ or ())[names.index("self")].cell_contents = _NoTransaction()

    def _functions(self, source: Source, mutant: Mutant) -> list[FunctionType]:
        return self.found[str(source.path), mutant.function]

    def _replace_value(self, mutant: Mutant, tree: ast.Module) -> None:
        home = sys.modules[mutant.module]
        statements: list[ast.stmt] = [
            statement
            for statement in tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            and mutant.lines[0] <= statement.lineno <= mutant.lines[1]
        ]
        names = dict(vars(home))
        exec(compile(ast.Module(statements, []), "mutant", "exec"), names)  # noqa: S102
        old, new = vars(home)[mutant.name], names[mutant.name]
        for module in list(sys.modules.values()):
            if vars(module).get(mutant.name) is old:
                setattr(module, mutant.name, new)


class _NoTransaction:
    """Stands where `transaction.atomic` decorates a function."""

    def _recreate_cm(self) -> AbstractContextManager[None]:
        return nullcontext()


def _name_again(tree: ast.Module, qualname: str, names: tuple[str, ...]) -> None:
    """Let the function go on to close over these names, also where the fault left out their use:
    code can only be replaced by code with the same ones (`super()` needs `__class__`)."""
    node: ast.Module | ast.ClassDef | ast.FunctionDef = tree
    for part in qualname.split("."):
        node = next(
            child
            for child in node.body
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and child.name == part
        )
    uses: list[ast.stmt] = [ast.Expr(ast.Name(name, ast.Load())) for name in names]
    if uses:
        node.body.append(ast.If(ast.Constant(False), uses, []))
        ast.fix_missing_locations(tree)


def _find(code: CodeType, qualname: str) -> CodeType:
    for one in _codes(code):
        if one.co_qualname == qualname:
            return one
    raise LookupError(qualname)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def lines_that_name(name: str, sources: dict[str, Source]) -> Iterator[tuple[str, int]]:
    """Where functions use a value of a module. What is used at import only can't be changed."""
    for source in sources.values():
        for function in ast.walk(ast.parse(source.text)):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Name) and node.id == name:
                        yield source.module, node.lineno
