"""Who a definition is: `Fingerprint`, held by a `SecurityConfig`. CrewAI's names, for code that keeps track of definitions; no run
looks at them. (`Crew.fingerprint` is another thing: the hash of the definition.)"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from jackstay.errors import DefinitionError


class Fingerprint(BaseModel):
    """A uuid, when it was made (in UTC), and data of the user's. Equal if the uuid is."""

    model_config = ConfigDict(extra="forbid")

    uuid_str: str = Field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    metadata: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def generate(cls, seed: str | None = None, metadata: Mapping[str, Any] | None = None) -> Fingerprint:
        """A new one. `seed`: the same text gives the same uuid, in every process (not the one that CrewAI makes of it)."""
        data = dict(metadata or {})
        if seed is None:
            return cls(metadata=data)
        if not seed.strip():
            raise DefinitionError(
                "the seed of a fingerprint is empty; give a name, or leave seed out for a random uuid"
            )
        return cls(uuid_str=str(uuid.uuid5(uuid.NAMESPACE_OID, seed)), metadata=data)

    @property
    def uuid(self) -> uuid.UUID:
        return uuid.UUID(self.uuid_str)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fingerprint:
        return cls.model_validate(dict(data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and other.uuid_str == self.uuid_str

    def __hash__(self) -> int:
        return hash(self.uuid_str)

    def __str__(self) -> str:
        return self.uuid_str


class SecurityConfig(BaseModel):
    """Of an agent, task or crew; copies have the same one."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: Fingerprint = Field(default_factory=Fingerprint)
