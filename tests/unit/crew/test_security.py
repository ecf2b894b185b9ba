"""`SecurityConfig` and `Fingerprint`: who a definition is, for code that keeps track of them."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay import Fingerprint, SecurityConfig
from jackstay.errors import DefinitionError
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, one_task, task


@pytest.mark.promise("around.security")
def test_a_fingerprint_of_a_seed_is_the_same_everywhere() -> None:
    one, same, other = Fingerprint.generate("alpha", {"team": "a"}), Fingerprint.generate("alpha"), Fingerprint()

    assert (one.uuid_str, one.metadata) == ("77921c20-d48c-5e1b-bab1-3dac236e1143", {"team": "a"})
    assert one == same != other
    assert len({one, same, other}) == 2
    assert (str(one), str(one.uuid)) == (one.uuid_str, one.uuid_str)
    assert other.created_at.tzinfo is not None


@pytest.mark.promise("around.security")
def test_a_fingerprint_can_be_kept_as_data() -> None:
    one = Fingerprint.generate(metadata={"team": "a"})

    kept = Fingerprint.from_dict(one.to_dict())

    assert (kept, kept.metadata, kept.created_at) == (one, one.metadata, one.created_at)


@pytest.mark.promise("around.security")
@pytest.mark.parametrize("seed", ["", "  "])
def test_an_empty_seed_is_refused(seed: str) -> None:
    with pytest.raises(DefinitionError, match="seed"):
        Fingerprint.generate(seed)


@pytest.mark.promise("agent.security_config", "task.security_config", "crew.security_config")
def test_each_definition_has_a_fingerprint_of_its_own_or_the_given_one() -> None:
    given = SecurityConfig(fingerprint=Fingerprint.generate("alpha"))
    worker = agent(ScriptedModel())
    doing = task(worker)
    two_of_each = [worker, agent(ScriptedModel()), doing, task(worker), crew(doing), crew(doing)]

    assert len({*(each.security_config.fingerprint for each in two_of_each), given.fingerprint}) == 7  # type: ignore[attr-defined]
    for made in (
        agent(ScriptedModel(), security_config=given),
        task(worker, security_config=given),
        crew(doing, security_config=given),
    ):
        assert made.security_config.fingerprint == given.fingerprint  # type: ignore[attr-defined]


@pytest.mark.promise("agent.security_config", "task.security_config", "crew.security_config")
def test_it_is_no_part_of_what_a_run_is_bound_to() -> None:
    def made(**more: Any) -> Any:
        return one_task(ScriptedModel(["a"]), agent_fields=more, **more)

    given = {"security_config": SecurityConfig(fingerprint=Fingerprint.generate("alpha"))}

    assert made(**given).fingerprint == made().fingerprint
