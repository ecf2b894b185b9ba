"""The names of attributes are those of the pinned convention, whoever renames them there."""

from __future__ import annotations

import inspect
from enum import Enum
from importlib.metadata import version

import pytest
from opentelemetry.semconv._incubating.attributes import error_attributes, exception_attributes, gen_ai_attributes
from opentelemetry.semconv.attributes import service_attributes
from opentelemetry.semconv.schemas import Schemas

from jackstay.models.table import providers
from jackstay.observe import span_names

GIVEN = {name: value for name, value in vars(span_names).items() if name.isupper() and isinstance(value, str)}
OPERATIONS = {"CHAT", "EXECUTE_TOOL", "INVOKE_AGENT", "INVOKE_WORKFLOW"}


def constants(*modules: object) -> set[str]:
    return {value for module in modules for value in vars(module).values() if isinstance(value, str)}


KNOWN = constants(gen_ai_attributes, error_attributes, exception_attributes, service_attributes)


def values(enum: type[Enum]) -> set[str]:
    return {member.value for member in enum}


def test_convention_is_the_newest_of_the_package_that_is_locked():
    assert version("opentelemetry-semantic-conventions") == "0.66b2"
    assert list(Schemas)[-1].value == span_names.SCHEMA_URL


def test_every_attribute_is_the_conventions_or_ours():
    attributes = {value for name, value in GIVEN.items() if "." in value and "/" not in value and name != "CONVENTION"}

    assert {value for value in attributes if not value.startswith("jackstay.")} <= KNOWN


def test_none_of_them_was_replaced_by_another_one():
    source = inspect.getsource(gen_ai_attributes)

    said = {
        value: source.split(f'"{value}"', 1)[1].split('"""')[1]
        for value in GIVEN.values()
        if value.startswith("gen_ai.")
    }

    # All of them have moved to a repository of their own, under the same names.
    assert {value for value, after in said.items() if "Replaced by" in after or "Removed" in after} == set()


def test_operations_are_the_conventions():
    assert {GIVEN[name] for name in OPERATIONS} <= values(gen_ai_attributes.GenAiOperationNameValues)


@pytest.mark.parametrize("ours", sorted(span_names.PROVIDERS))
def test_providers_that_have_another_name_there_have_that_one(ours):
    assert ours in providers()
    assert span_names.PROVIDERS[ours] in values(gen_ai_attributes.GenAiProviderNameValues)


def test_no_provider_of_ours_is_called_as_the_convention_calls_another_one():
    theirs = values(gen_ai_attributes.GenAiProviderNameValues)
    alike = {name for name in providers() if name.replace("_", "") in {one.replace("_", "") for one in theirs}}

    assert {span_names.PROVIDERS.get(name, name) for name in alike} <= theirs
