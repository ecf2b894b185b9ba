"""Values that fit a JSON Schema: tool arguments and structured answers of the simulated model.

Covers what pydantic and people write: $ref, anyOf, oneOf, allOf, enum, const, default, nested objects, arrays, ranges,
lengths, patterns and formats. `not`, `if` and `dependent…` are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackstay.models.sim_draw import Draw
from jackstay.models.sim_words import Words

_DEEP = 4
"""From this depth on only what must be there is written, so that recursive schemas end."""
_TOO_DEEP = 40


@dataclass(slots=True)
class SchemaWriter:
    """Writes values for one schema document; `words` supplies texts and numbers from the task."""

    root: Mapping[str, Any]
    words: Words
    draw: Draw

    def write(self) -> Any:
        """A value that fits the document's own schema."""
        return self._value(self.root, "", 0)

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if depth > _TOO_DEEP:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of_listed(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "default")}
                return self._value(_merged(rest, self._resolved(self._branch(schema[key], depth))), name, depth)
        match self._kind(schema):
            case "object":
                return self._object(schema, name, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema, name)
            case "boolean":
                return self.draw.below(2) == 0
            case "null":
                return None
            case _:
                return self.words.text(name, schema, self.draw)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """The schema with its $ref and allOf folded in; `true` is the empty schema."""
        if not isinstance(schema, Mapping):
            return {}
        for _ in range(_TOO_DEEP):
            if "$ref" not in schema:
                break
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = _merged(self._lookup(str(schema["$ref"])), rest)
        if schema.get("allOf"):
            result = {key: value for key, value in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                result = _merged(result, self._resolved(part))
            return result
        return dict(schema)

    def _lookup(self, reference: str) -> Mapping[str, Any]:
        node: Any = self.root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            key = part.replace("~1", "/").replace("~0", "~")
            node = node.get(key, {}) if isinstance(node, Mapping) else {}
        return node if isinstance(node, Mapping) else {}

    def _branch(self, branches: list[Any], depth: int) -> Any:
        """One of several forms: not null if there is a choice, but the shallowest once it got deep."""
        if depth >= _DEEP:
            return min(branches, key=self._weight)
        solid = [branch for branch in branches if self._resolved(branch).get("type") != "null"]
        # The first form is the author's own first thought; the others are there for special cases.
        return (solid or branches)[0]

    def _weight(self, branch: Any) -> int:
        return {"null": 0, "object": 3, "array": 2}.get(self._kind(self._resolved(branch)), 1)

    def _kind(self, schema: Mapping[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            solid = [one for one in kind if one != "null"]
            kind = solid[0] if solid else "null"
        if kind is None:
            if "properties" in schema or "additionalProperties" in schema:
                return "object"
            return "array" if "items" in schema or "prefixItems" in schema else "string"
        return str(kind)

    def _one_of_listed(self, values: list[Any]) -> Any:
        """Listed values: one that the task names, if it names one."""
        named = [value for value in values if isinstance(value, str) and value.lower() in self.words.task.lower()]
        return named[0] if named else self.draw.choice(values)

    def _object(self, schema: Mapping[str, Any], name: str, depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = [key for key in schema.get("required", ()) if isinstance(key, str)]
        result: dict[str, Any] = {}
        for key, part in properties.items():
            if key not in required:
                if depth >= _DEEP:
                    continue
                if isinstance(part, Mapping) and "default" in part:
                    result[key] = part["default"]
                    continue
            result[key] = self._value(part, key, depth + 1)
        for key in required:
            if key not in result:
                result[key] = self._value(schema.get("additionalProperties"), key, depth + 1)
        return self._filled_up(result, schema, name, depth)

    def _filled_up(self, result: dict[str, Any], schema: Mapping[str, Any], name: str, depth: int) -> dict[str, Any]:
        """Free keys, where the schema allows them: a mapping shows two entries, a wanted minimum is kept."""
        free = schema.get("additionalProperties")
        wanted = int(schema.get("minProperties", 0))
        if not schema.get("properties") and isinstance(free, Mapping) and depth < _DEEP:
            wanted = max(wanted, 2)
        wanted = min(wanted, int(schema.get("maxProperties", wanted)))
        number = 0
        while free is not False and len(result) < wanted:
            number += 1
            result.setdefault(f"{name or 'item'}_{number}", self._value(free, name, depth + 1))
        return result

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems") or ()
        low = int(schema.get("minItems", 0))
        wanted = max(low, 0 if depth >= _DEEP else 2 + self.draw.below(2))
        count = min(wanted, int(schema.get("maxItems", wanted)))
        items = [self._value(part, name, depth + 1) for part in fixed[: max(count, len(fixed))]]
        if (fixed and "items" not in schema) or schema.get("items") is False:
            return items
        unique = bool(schema.get("uniqueItems"))
        for _ in range(20 * count):
            if len(items) >= count:
                break
            item = self._value(schema.get("items"), name, depth + 1)
            if not unique or item not in items:
                items.append(item)
        return items

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low, high = _bounds(schema)
        step = int(schema.get("multipleOf", 1)) or 1
        first = -(-_ceil(low, schema, "exclusiveMinimum") // step) * step if low is not None else None
        last = _floor(high, schema, "exclusiveMaximum") // step * step if high is not None else None
        first, last = _spread(first, last, step)
        for number in self.words.numbers:
            if number == int(number) and first <= number <= last and number % step == 0:
                return int(number)
        return first + step * self.draw.below((last - first) // step + 1)

    def _number(self, schema: Mapping[str, Any], name: str) -> int | float:
        if schema.get("multipleOf"):
            return self._multiple(schema, float(schema["multipleOf"]))
        low, high = _bounds(schema)
        if low is None and high is None:
            low, high = (0.0, 1.0) if name in ("confidence", "probability", "score") else (1.0, 100.0)
        low, high = (high - 100 if low is None else low), (low + 100 if high is None else high)  # type: ignore[operator]
        if low == high:
            return low
        # Strictly inside: right for exclusive bounds, too.
        return _short(low, high, low + (high - low) * (0.05 + 0.9 * self.draw.share()))

    def _multiple(self, schema: Mapping[str, Any], step: float) -> float:
        low, high = _bounds(schema)
        start = 0 if low is None else int(-(-low // step))
        if "exclusiveMinimum" in schema and start * step <= schema["exclusiveMinimum"]:
            start += 1
        if low is None and high is not None:
            start = int(high // step) - 1
        return start * step


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas that both hold: properties and required are united, other keys of the second win."""
    result = {**first, **second}
    if "properties" in first and "properties" in second:
        result["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        result["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return result


def _bounds(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if _is_number(schema.get(key))]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if _is_number(schema.get(key))]
    return (max(lows) if lows else None), (min(highs) if highs else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ceil(low: float, schema: Mapping[str, Any], exclusive: str) -> int:
    whole = int(-(-low // 1))
    return whole + 1 if schema.get(exclusive) == low and whole == low else whole


def _floor(high: float, schema: Mapping[str, Any], exclusive: str) -> int:
    whole = int(high // 1)
    return whole - 1 if schema.get(exclusive) == high and whole == high else whole


def _spread(first: int | None, last: int | None, step: int) -> tuple[int, int]:
    """Both ends of a range of which one or both may be open."""
    if first is None:
        first = step if last is None or last >= step else last - 9 * step
    if last is None:
        last = first + 9 * step
    return first, max(first, last)


def _short(low: float, high: float, value: float) -> float:
    """The value with as few decimals as keep it between the ends."""
    for digits in range(1, 15):
        rounded = round(value, digits)
        if low < rounded < high:
            return rounded
    return value
