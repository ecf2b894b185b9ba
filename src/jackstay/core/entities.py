"""What has a form and no known value: keys, and personal data that an expression can find. Names as in CrewAI's list of entities.

Every expression takes time in proportion to the text: what repeats is bounded, or cannot be read in two ways.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """How something looks that has no known value. `holds` sorts out what only looks like it."""

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] | None = None

    def masked(self, text: str) -> str:
        return self.pattern.sub(self._instead, text)

    def _instead(self, found: re.Match[str]) -> str:
        if self.holds is not None and not self.holds(found[0]):
            return found[0]
        before = found["before"] if "before" in self.pattern.groupindex else ""
        return f"{before}<{self.name}>"


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _luhn(text: str) -> bool:
    """The check digit of cards; the length and the first digit sort out most times and counters."""
    digits = _digits(text)
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456":
        return False
    doubled = [
        int(digit) if index % 2 == 0 else sum(divmod(2 * int(digit), 10)) for index, digit in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the remainder of the rearranged number by 97 is 1."""
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified  # `::` stands in programs
    except ValueError:
        return False


def _dea(text: str) -> bool:
    """The check digit of the numbers that the DEA gives to those who may prescribe."""
    odd, even = (sum(int(digit) for digit in text[start:-1:2]) for start in (2, 3))
    return (odd + 2 * even) % 10 == int(text[-1])


_KEYS = (
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{30,}",
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----))*-----END [A-Z ]*PRIVATE KEY-----",
)

_NUMBER = r"(?: (?:number|no\.?|nr\.?|#))?(?: is)?[ :#]{1,3}"
"""Between a word and its number."""

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form("API_KEY", re.compile("|".join(_KEYS))),
        Form(
            "SECRET",
            re.compile(
                r"(?P<before>\b(?:api[_-]?key|access[_-]?token|auth[_-]?token|token|secret|passw(?:or)?d|passphrase)\\?[\"']?\s*[:=]\s*\\?[\"']?"
                r"|\b(?:bearer|basic)\s+|://[^\s/:@]+:(?=[^\s/@]+@))(?!\[secret |<)[^\s\"',;&@\\]{6,}",
                re.IGNORECASE,
            ),
        ),
        Form("EMAIL_ADDRESS", re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")),
        Form("CREDIT_CARD", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), _luhn),
        Form(
            "PHONE_NUMBER",
            re.compile(
                r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\w)"
                r"|(?<![\w.-])\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?![\w-])"
            ),
        ),
        Form("IBAN_CODE", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"), _iban),
        Form(
            "IP_ADDRESS",
            re.compile(
                r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)|(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
            ),
            _address,
        ),
        Form("URL", re.compile(r"\bhttps?://[^\s\"'<>]+")),
        Form("CRYPTO", re.compile(r"\b(?:bc1[a-z0-9]{25,62}|[13][a-km-zA-HJ-NP-Z1-9]{25,34}|0x[a-fA-F0-9]{40})\b")),
        Form(
            "DATE_TIME", re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
        ),
        Form("US_SSN", re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")),
        Form("MEDICAL_LICENSE", re.compile(r"\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b"), _dea),
        # Any number could be one of these; the word before it tells.
        Form(
            "US_BANK_NUMBER", re.compile(rf"(?P<before>\b(?:account|acct){_NUMBER})\d{{8,17}}(?![\w-])", re.IGNORECASE)
        ),
        Form(
            "US_DRIVER_LICENSE",
            re.compile(
                rf"(?P<before>\bdriv(?:er|ers|er's|er’s|ing) licen[cs]e{_NUMBER})[A-Z]{{0,2}}\d{{5,14}}(?![\w-])",
                re.IGNORECASE,
            ),
        ),
        Form("US_PASSPORT", re.compile(rf"(?P<before>\bpassport{_NUMBER})[A-Z]?\d{{8,9}}(?![\w-])", re.IGNORECASE)),
        Form("US_ITIN", re.compile(r"(?<![\w-])9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}(?![\w-])")),
    )
}
"""Entities, by CrewAI's names where it has one. Those without a form: `recognition.py`."""

USUAL = ("API_KEY", "SECRET", "EMAIL_ADDRESS", "CREDIT_CARD", "PHONE_NUMBER")
"""What is masked where nobody has said anything."""
