"""Which faults can be planted into a module: small changes of its syntax tree, in a fixed order."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
METHODS = {"filter": "exclude", "exclude": "filter", "first": "last"}
# What of a queryset can be left out of a chain; those of our own querysets are added by name.
ORDERS = {"first", "last", "order_by", "distinct"}
LINKS = {
    "filter", "exclude", "order_by", "distinct", "select_for_update", "lower", "strip", "casefold",
}  # fmt: skip
# How much is taken at a time decides nothing: one more or less is no fault.
SIZE = re.compile(r"BATCH|CHUNK|STEP|AT_ONCE")
LOCK = re.compile(
    r"\b(select_for_update|skip_locked|no_key|lock_[a-z]\w+|protected_from_deletion"
    r"|transaction\.atomic)\b"
)
SKIPPED_CALLS = {"logger", "_", "gettext", "gettext_lazy", "gettext_noop", "cast"}
# An alias of a type is no value.
GENERICS = {"dict", "list", "set", "tuple", "Callable", "Iterator", "Mapping", "Sequence"}
SKIPPED_FIELDS = {
    "annotation",
    "returns",
    "type_params",
    "decorator_list",
    "args",
    "bases",
    "keywords",
}


@dataclass(frozen=True)
class Mutant:
    """One fault: where it is, and how the code reads before and after. `number` counts those of the
    module; `lines` are the lines whose tests concern it."""

    module: str
    number: int
    function: str
    name: str
    lines: tuple[int, int]
    before: str
    after: str
    is_lock: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it in the list of survivors, whatever line it stands on."""
        return self.module, self.function or self.name, self.before, self.after


@dataclass
class Slot:
    """A place in the tree, and what else could stand there; None for nothing."""

    owner: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST | None

    def put(self) -> None:
        if self.index is None:
            setattr(self.owner, self.field, self.new)
            return
        siblings = getattr(self.owner, self.field)
        siblings[self.index : self.index + 1] = [] if self.new is None else [self.new]


@dataclass
class _Place:
    function: str = ""
    qualname: str = ""
    name: str = ""
    statement: ast.stmt | None = None


class Source:
    """The source of a module, and the mutants that can be made of it."""

    def __init__(self, module: str, path: Path, own_links: frozenset[str]) -> None:
        self.module, self.path = module, path
        self.links = LINKS | own_links
        self.text = path.read_text()

    def mutants(self) -> list[Mutant]:
        return [
            Mutant(
                module=self.module,
                number=number,
                function=place.function,
                name=place.name,
                lines=_lines(place.statement),
                before=_shown(slot, slot.old),
                after=_shown(slot, slot.new),
                is_lock=_is_lock(slot),
            )
            for number, (slot, place) in enumerate(self._slots(ast.parse(self.text)))
        ]

    def mutated(self, number: int) -> ast.Module:
        tree = ast.parse(self.text)
        for found, (slot, _place) in enumerate(self._slots(tree)):
            if found == number:
                slot.put()
                return ast.fix_missing_locations(tree)
        raise IndexError(number)

    def _slots(self, tree: ast.Module) -> list[tuple[Slot, _Place]]:
        makers = made_at_import(tree)
        return [
            (slot, place)
            for slot, place in self._walk(tree, _Place())
            if not (place.function in makers and place.qualname == place.function)
        ]

    def _walk(self, node: ast.AST, place: _Place) -> Iterator[tuple[Slot, _Place]]:
        for field, value in ast.iter_fields(node):
            if field in SKIPPED_FIELDS and not isinstance(node, ast.Call):
                if field == "decorator_list":
                    yield from _decorators(node, place)
                continue
            children = value if isinstance(value, list) else [value]
            for position, child in enumerate(children):
                if not isinstance(child, ast.AST) or _is_skipped(child, node):
                    continue
                inside = _inner(child, place)
                index = position if isinstance(value, list) else None
                if inside.function or inside.name:
                    for new in self._replacements(child, node, field, inside):
                        yield Slot(node, field, index, child, new), inside
                yield from self._walk(child, inside)

    def _replacements(  # noqa: C901, PLR0912 - one case for each kind of fault
        self, node: ast.AST, parent: ast.AST, field: str, place: _Place
    ) -> Iterator[ast.AST | None]:
        match node:
            case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
                yield ast.Compare(node.left, [COMPARISONS[type(operator)]()], node.comparators)
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield ast.BoolOp(other, node.values)
                for dropped in range(len(node.values)):
                    rest = [value for i, value in enumerate(node.values) if i != dropped]
                    yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                yield node.operand
            case ast.BinOp() if type(node.op) in OPERATORS:
                yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
                if isinstance(node.op, ast.BitOr | ast.BitAnd):
                    yield node.left
                    yield node.right
            case ast.AugAssign() if type(node.op) in OPERATORS:
                yield ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
                yield ast.Pass()
            case ast.Constant(value=bool(flag)):
                yield ast.Constant(not flag)
            case ast.Constant(value=int(number)) if not SIZE.search(place.name):
                yield ast.Constant(number + 1)
            case ast.Constant(value=float(number)):
                yield ast.Constant(number + 1)
            case ast.Constant(value=str(text)) if text.startswith("-") and len(text) > 1:
                yield ast.Constant(text.removeprefix("-"))
            case ast.Name() if node.id in NAMES and isinstance(parent, ast.Call):
                yield ast.Name(NAMES[node.id], ast.Load())
            case ast.Call():
                yield from self._calls(node)
            case ast.If() | ast.While():
                if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                    negated = ast.UnaryOp(ast.Not(), node.test)
                    yield type(node)(negated, node.body, node.orelse)
            case ast.IfExp():
                yield ast.IfExp(node.test, node.orelse, node.body)
            case ast.comprehension() if node.ifs:
                yield ast.comprehension(node.target, node.iter, [], node.is_async)
            case ast.Subscript(slice=ast.Slice(), ctx=ast.Load()):
                yield node.value
            case ast.With() if _opens_transaction(node):
                yield ast.If(ast.Constant(True), node.body, [])
            case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Continue() | ast.Break():
                yield ast.Pass()
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
                yield ast.Pass()
        if _is_element(node, parent, field):
            yield None

    def _calls(self, node: ast.Call) -> Iterator[ast.AST]:
        function = node.func
        if isinstance(function, ast.Attribute) and not (
            function.attr in ORDERS and _is_one_row(function.value)
        ):
            if function.attr in self.links:
                yield function.value
            if function.attr in METHODS:
                other = ast.Attribute(function.value, METHODS[function.attr], ast.Load())
                yield ast.Call(other, node.args, node.keywords)
        for dropped in range(len(node.keywords)):
            rest = [keyword for i, keyword in enumerate(node.keywords) if i != dropped]
            if (rest or node.args) and node.keywords[dropped].arg is not None:
                yield ast.Call(function, node.args, rest)
        if isinstance(function, ast.Attribute) and function.attr in {
            "filter",
            "exclude",
            "order_by",
        }:
            for dropped in range(len(node.args)):
                others = [argument for i, argument in enumerate(node.args) if i != dropped]
                if others or node.keywords:
                    yield ast.Call(function, others, node.keywords)


def own_links(paths: list[Path]) -> frozenset[str]:
    """The methods of our querysets that give a queryset again."""
    return frozenset(
        method.name
        for path in paths
        for kind in ast.walk(ast.parse(path.read_text()))
        if isinstance(kind, ast.ClassDef) and kind.name.endswith("QuerySet")
        for method in kind.body
        if isinstance(method, ast.FunctionDef)
        and isinstance(method.returns, ast.Name)
        and method.returns.id == "Self"
    )


def made_at_import(tree: ast.Module) -> set[str]:
    """The private functions that are called only while the module is imported, as those that make
    the functions of a table: no test runs them, but what they made."""
    mentions = {node for node in ast.walk(tree) if isinstance(node, ast.Name)}
    calls = {
        node.func
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not _has_lambda(statement)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    elsewhere = {name.id for name in mentions - calls}
    return {name.id for name in calls if name.id.startswith("_")} - elsewhere


def _has_lambda(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Lambda) for node in ast.walk(statement))


def _is_one_row(node: ast.AST) -> bool:
    """Say whether a query has its row by its primary key: the order of one row is no matter."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "filter" and "pk" in {keyword.arg for keyword in node.keywords}:
            return True
        node = node.func.value
    return False


def _inner(child: ast.AST, place: _Place) -> _Place:
    """Where a child of a node at `place` is."""
    if isinstance(child, ast.FunctionDef | ast.ClassDef):
        qualname = f"{place.qualname}.{child.name}".removeprefix(".")
        is_outermost = isinstance(child, ast.FunctionDef) and not place.function
        function = qualname if is_outermost else place.function
        return _Place(function, qualname, statement=child)
    if isinstance(child, ast.stmt):
        inside = _Place(place.function, place.qualname, place.name, child)
        if not place.qualname:
            target: ast.expr | None = None
            if isinstance(child, ast.AnnAssign):
                target = child.target
            elif isinstance(child, ast.Assign):
                target = child.targets[0]
            if isinstance(target, ast.Name) and target.id != "__all__":
                inside.name = target.id
        return inside
    return place


def _is_skipped(child: ast.AST, parent: ast.AST) -> bool:  # noqa: PLR0911 - one case each
    match child:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Global() | ast.TypeAlias():
            return True
        case ast.Raise(
            exc=ast.Name(id="NotImplementedError")
            | ast.Call(func=ast.Name(id="NotImplementedError"))
        ):
            return True
        case (
            ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id=name)))
        ) if name in SKIPPED_CALLS:
            return True
        case ast.Expr(value=ast.Call() as call):
            return _is_skipped(call, child)
        case ast.Assign(value=ast.Call(func=ast.Name(id=name))) if name in SKIPPED_CALLS:
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name))) if name in GENERICS:
            return True
        case ast.ClassDef():
            return child.name == "Meta"
    return isinstance(parent, ast.ClassDef) and not isinstance(
        child, ast.FunctionDef | ast.ClassDef
    )


def _is_element(node: ast.AST, parent: ast.AST, field: str) -> bool:
    """An entry of a table, a list of fields or of conditions."""
    return (
        field == "elts"
        and isinstance(parent, ast.List | ast.Set | ast.Tuple)
        and isinstance(getattr(parent, "ctx", None) or ast.Load(), ast.Load)
        and isinstance(node, ast.Constant | ast.Attribute | ast.Name)
        and len(parent.elts) > (2 if isinstance(parent, ast.Tuple) else 0)
    )


def _opens_transaction(node: ast.With) -> bool:
    return any("atomic" in ast.unparse(item.context_expr) for item in node.items)


def _decorators(node: ast.AST, place: _Place) -> Iterator[tuple[Slot, _Place]]:
    for index, decorator in enumerate(getattr(node, "decorator_list", [])):
        if ast.unparse(decorator) == "transaction.atomic":
            yield Slot(node, "decorator_list", index, decorator, None), place


def _lines(statement: ast.stmt | None) -> tuple[int, int]:
    """Of a compound statement only its head."""
    if statement is None:
        return 0, 0
    body = [] if isinstance(statement, ast.FunctionDef) else getattr(statement, "body", [])
    last = body[0].lineno - 1 if body else statement.end_lineno
    return statement.lineno, max(statement.lineno, last or 0)


def _shown(slot: Slot, node: ast.AST | None) -> str:
    if node is None:
        return "∅"
    text = ast.unparse(node) if not isinstance(node, ast.comprehension) else _comprehension(node)
    if isinstance(node, ast.With | ast.If | ast.While):
        text = text.splitlines()[0]
    if slot.new is None:
        text = f"{text} in {ast.unparse(slot.owner).splitlines()[0]}"
    return text if len(text) <= 300 else f"{text[:297]}…"


def _comprehension(node: ast.comprehension) -> str:
    return ast.unparse(ast.ListComp(ast.Name("x"), [node]))


def _is_lock(slot: Slot) -> bool:
    """Locks show on PostgreSQL only, SQLite has one writer at a time; and what is not in a
    transaction can't lock."""
    if isinstance(slot.owner, ast.keyword):
        return LOCK.fullmatch(slot.owner.arg or "") is not None
    before = ast.unparse(slot.old) if not isinstance(slot.old, ast.comprehension) else ""
    after = ast.unparse(slot.new) if isinstance(slot.new, ast.expr | ast.stmt) else ""
    return len(LOCK.findall(before)) > len(LOCK.findall(after))
