"""Expressions of declared flows: the part of the Common Expression Language (CEL) that looks at JSON data.

Nothing in one can call code, loop for ever or change a value. Source: the language definition of CEL (cel.dev), with one
difference: whole numbers and fractions may be mixed, since JSON does not tell them apart. Left out: bytes, unsigned numbers,
times, messages, optionals. What values do is `core.expression_values`; here is what texts mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jackstay.core.expression_tokens import MEANT, Token, number_of, text_of, tokens, wrong
from jackstay.core.expression_values import (
    ABSENT,
    FUNCTIONS,
    METHODS,
    NoValue,
    arithmetic,
    as_bool,
    at_index,
    compared,
    elements,
    member,
    negative,
)
from jackstay.errors import ExpressionError

Names = Mapping[str, Any]
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=", "in")
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_DEPTH = 60
"""Of brackets and operators in one another; the parser calls itself about ten times for each."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that could be read. `roots`: the names it looks at, of those that it may."""

    text: str
    roots: frozenset[str]
    _value: Callable[[Names], Any] = field(repr=False)

    def evaluate(self, names: Names) -> Any:
        """Its value, JSON data or what stands in the names. Raises `ExpressionError` if it has none."""
        try:
            return self._value(names)
        except NoValue as error:
            raise ExpressionError(f"{self.text!r:.200}: {error}") from error
        except RecursionError as error:  # thousands of operators one behind the other
            raise ExpressionError(
                f"{self.text!r:.200}: it is too long; compute parts of it in other methods"
            ) from error


def parse(text: str, roots: Collection[str]) -> Expression:
    """Reads an expression over the values called `roots`. Raises `ExpressionError` with the column."""
    parser = _Parser(text, roots)
    node = parser.whole()
    return Expression(text, frozenset(parser.used), node.value)


@dataclass(frozen=True, slots=True)
class _Node:
    source: str
    """As it was written, for messages."""
    value: Callable[[Names], Any]
    field: tuple[_Node, str] | None = None
    """If it is `a.b`: a and b, for `has`."""
    at: int = 0


class _Parser:
    """Recursive descent, one method per level of precedence, the loosest first."""

    def __init__(self, text: str, roots: Collection[str]) -> None:
        self._text, self._roots, self._local, self._depth = text, roots, list[str](), 0
        self.used: set[str] = set()
        if not text.strip():
            raise ExpressionError("the expression is empty; write one, such as state.topic")
        self._tokens, self._next = tokens(text), 0

    def whole(self) -> _Node:
        node = self._choice()
        if self._peek.kind != "end":
            raise self._expected("nothing more")
        return node

    def _choice(self) -> _Node:
        self._depth += 1
        if self._depth > _DEPTH:
            raise ExpressionError("it is nested too deep; compute parts of it in methods of their own")
        at, condition = self._peek.at, self._disjunction()
        if self._take("?"):
            yes = self._choice()
            self._need(":")
            no, test = self._choice(), condition.value
            condition = self._node(at, lambda names: yes.value(names) if as_bool(test(names)) else no.value(names))
        self._depth -= 1
        return condition

    def _disjunction(self) -> _Node:
        at, left = self._peek.at, self._conjunction()
        while self._take("||"):
            right, before = self._conjunction(), left.value
            left = self._node(at, _or(before, right.value))
        return left

    def _conjunction(self) -> _Node:
        at, left = self._peek.at, self._comparison()
        while self._take("&&"):
            right, before = self._comparison(), left.value
            left = self._node(at, _and(before, right.value))
        return left

    def _comparison(self) -> _Node:
        at, left = self._peek.at, self._sum()
        while (sign := self._take(*_COMPARISONS)) is not None:
            left = self._node(at, _compares(sign, left.value, self._sum().value))
        return left

    def _sum(self) -> _Node:
        at, left = self._peek.at, self._product()
        while (sign := self._take("+", "-")) is not None:
            left = self._node(at, _computes(sign, left.value, self._product().value))
        return left

    def _product(self) -> _Node:
        at, left = self._peek.at, self._signed()
        while (sign := self._take("*", "/", "%")) is not None:
            left = self._node(at, _computes(sign, left.value, self._signed().value))
        return left

    def _signed(self) -> _Node:
        at, signs = self._peek.at, list[str]()
        while (sign := self._take("!", "-")) is not None:
            signs.append(sign)
        node = self._followed(self._primary())
        for sign in reversed(signs):
            node = self._node(at, _turned(sign, node.value))
        return node

    def _followed(self, node: _Node) -> _Node:
        """What stands behind a value: `.field`, `.function(…)`, `[index]`."""
        while (sign := self._take(".", "[")) is not None:
            if sign == "[":
                index = self._choice()
                self._need("]")
                node = self._node(node.at, _indexed(node, index.value))
                continue
            name = self._name()
            if self._take("("):
                node = self._method(node, name)
            else:
                node = self._node(node.at, _has_member(node, name.text), (node, name.text))
        return node

    def _method(self, of: _Node, name: Token) -> _Node:
        if name.text in _MACROS:
            return self._macro(of, name)
        known = METHODS.get(name.text)
        if known is None:
            raise self._unknown_function(name, [*METHODS, *_MACROS])
        return self._call(name, self._arguments(), known, first=of)

    def _macro(self, of: _Node, name: Token) -> _Node:
        """`list.map(each, …)`: a part that is evaluated for each element, under a name of its own."""
        each = self._name()
        self._need(",")
        self._local.append(each.text)
        parts = [self._choice().value]
        if name.text == "map" and self._take(","):
            parts.append(self._choice().value)
        self._local.pop()
        self._need(")")
        return self._node(of.at, _for_each(name.text, of.value, each.text, parts))

    def _primary(self) -> _Node:
        token = self._peek
        self._next += 1
        match token.kind, token.text:
            case "number", text:
                return self._constant(token, number_of(text))
            case "text", text:
                return self._constant(token, text_of(text, token.at))
            case "name", ("true" | "false" | "null") as word:
                return self._constant(token, {"true": True, "false": False, "null": None}[word])
            case "name", _:
                return self._function(token) if self._take("(") else self._root(token)
            case "sign", "(":
                inner = self._choice()
                self._need(")")
                return self._node(token.at, inner.value)
            case "sign", "[":
                items = [part.value for part in self._listed("]")]
                return self._node(token.at, lambda names: [item(names) for item in items])
            case "sign", "{":
                return self._map(token)
        self._next -= 1
        raise self._expected("a value" if token.kind != "end" else "a name or a value")

    def _root(self, token: Token) -> _Node:
        name = token.text
        if name not in self._local:
            if name not in self._roots:
                raise wrong(token.at, f"there is no {name}; {_nearest(name, [*self._roots, *self._local])}")
            self.used.add(name)
        return self._node(token.at, lambda names: names[name])

    def _function(self, name: Token) -> _Node:
        if name.text == "has":
            return self._has()
        known = FUNCTIONS.get(name.text)
        if known is None:
            raise self._unknown_function(name, [*FUNCTIONS, "has"])
        return self._call(name, self._arguments(), known)

    def _has(self) -> _Node:
        at, asked = self._peek.at, self._choice()
        self._need(")")
        if asked.field is None:
            raise wrong(at, "has takes a field, as has(state.topic)")
        of, name = asked.field
        return self._node(at, lambda names: member(of.value(names), name, of.source, or_absent=True) is not ABSENT)

    def _call(
        self, name: Token, given: list[_Node], known: tuple[int, Callable[..., Any]], first: _Node | None = None
    ) -> _Node:
        wanted, function = known
        if len(given) != wanted:
            plural = "" if wanted == 1 else "s"
            raise wrong(name.at, f"{name.text} takes {wanted} argument{plural}, and is given {len(given)}")
        values = [part.value for part in ([first] if first is not None else []) + given]
        return self._node(
            first.at if first is not None else name.at, lambda names: function(*[value(names) for value in values])
        )

    def _arguments(self) -> list[_Node]:
        return self._listed(")")

    def _listed(self, end: str) -> list[_Node]:
        found: list[_Node] = []
        while not self._take(end):
            found.append(self._choice())
            if not self._take(","):
                self._need(end)
                break
        return found

    def _map(self, opening: Token) -> _Node:
        pairs: list[tuple[Callable[[Names], Any], Callable[[Names], Any]]] = []
        while not self._take("}"):
            key = self._choice()
            self._need(":")
            pairs.append((key.value, self._choice().value))
            if not self._take(","):
                self._need("}")
                break
        return self._node(opening.at, lambda names: {key(names): value(names) for key, value in pairs})

    # --- tokens ---------------------------------------------------------------------------------------------------------

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> str | None:
        token = self._peek
        if token.text not in texts or token.kind not in ("sign", "name"):
            return None
        self._next += 1
        return token.text

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise self._expected(f"{text!r}")

    def _name(self) -> Token:
        token = self._peek
        if token.kind != "name":
            raise self._expected("a name")
        self._next += 1
        return token

    def _expected(self, what: str) -> ExpressionError:
        token = self._peek
        if token.kind == "end":
            return wrong(token.at, f"{what} is expected, and the expression ends")
        found = token.text if token.kind in ("number", "text") else repr(token.text)
        meant = f"; {MEANT[token.text]}" if token.text in MEANT else ""
        return wrong(token.at, f"{what} is expected, and there is {found}{meant}")

    def _unknown_function(self, name: Token, known: Sequence[str]) -> ExpressionError:
        return wrong(name.at, f"there is no function {name.text}; {_nearest(name.text, known)}")

    def _constant(self, token: Token, value: Any) -> _Node:
        return self._node(token.at, lambda _: value)

    def _node(self, at: int, value: Callable[[Names], Any], has: tuple[_Node, str] | None = None) -> _Node:
        """`at`: where it begins; it ends before the next token."""
        last = self._tokens[self._next - 1]
        return _Node(self._text[at : last.at + len(last.text)], value, has, at)


# --- what the levels do ---------------------------------------------------------------------------------------------

Value = Callable[[Names], Any]


def _or(left: Value, right: Value) -> Value:
    return lambda names: as_bool(left(names)) or as_bool(right(names))


def _and(left: Value, right: Value) -> Value:
    return lambda names: as_bool(left(names)) and as_bool(right(names))


def _compares(sign: str, left: Value, right: Value) -> Value:
    return lambda names: compared(sign, left(names), right(names))


def _computes(sign: str, left: Value, right: Value) -> Value:
    return lambda names: arithmetic(sign, left(names), right(names))


def _turned(sign: str, of: Value) -> Value:
    return lambda names: negative(of(names)) if sign == "-" else not as_bool(of(names))


def _indexed(of: _Node, index: Value) -> Value:
    return lambda names: at_index(of.value(names), index(names), of.source)


def _has_member(of: _Node, name: str) -> Value:
    return lambda names: member(of.value(names), name, of.source)


def _for_each(macro: str, of: Value, name: str, parts: Sequence[Value]) -> Value:
    def evaluate(names: Names) -> Any:
        items = elements(of(names), macro)
        mine = [{**names, name: item} for item in items]
        if macro == "map":
            kept = mine if len(parts) == 1 else [each for each in mine if as_bool(parts[0](each))]
            return [parts[-1](each) for each in kept]
        said = (as_bool(parts[0](each)) for each in mine)
        match macro:
            case "all":
                return all(said)
            case "exists":
                return any(said)
            case "exists_one":
                return sum(said) == 1
        return [item for item, wanted in zip(items, said, strict=True) if wanted]

    return evaluate


def _nearest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(sorted(known))}"
