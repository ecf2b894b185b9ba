"""What leaves the machine in a report is masked: secrets by their value, keys, tokens and addresses by their form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Mask = Callable[[str], str]

_SECRET_NAME = re.compile(r"(^|_)(key|token|secret|password|passwd|credentials?)s?($|_)", re.IGNORECASE)
_SHORTEST = 8
"""Characters of a value that is masked: a shorter one would be found in ordinary words."""
_FORMS = re.compile(
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=Bearer )\S{8,}|\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
)
MASKED = "[masked]"


def mask_of(environ: Mapping[str, str]) -> Mask:
    """What masks a text, by the secrets that this environment has."""
    named = {value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
    secrets = sorted(named, key=len, reverse=True)  # one may be the beginning of another

    def masked(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, MASKED)
        return _FORMS.sub(MASKED, text)

    return masked
