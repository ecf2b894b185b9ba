"""What is masked: secrets in every form in which they may stand in a text, and forms only where they hold."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jackstay.core.entities import FORMS
from jackstay.core.masking import Masking, Secrets, names_secret

ODD = 'quo"te\\back/slash é+&'


@pytest.mark.parametrize(
    "text", [ODD, json.dumps(ODD), json.dumps({"a": ODD}, ensure_ascii=False), repr(ODD), f"Bearer {ODD}"]
)
def test_secret_is_found_as_it_is_and_as_json_and_python_write_it(text):
    masked = Secrets({"API_KEY": ODD}).masked(text)

    assert "[secret API_KEY]" in masked
    assert "slash" not in masked


def test_secret_that_begins_like_another_one_is_masked_whole():
    secrets = Secrets({"A": "abcdefgh", "B": "abcdefgh-ijkl"})

    assert secrets.masked("abcdefgh-ijkl abcdefgh") == "[secret B] [secret A]"


def test_short_values_and_stand_ins_are_no_secrets():
    assert not Secrets({"API_KEY": "short", "OPENAI_API_KEY": "not-needed"})


@given(st.text(min_size=8, max_size=30), st.text(), st.text())
@example("00000000", "\x10", "")
def test_what_is_stored_has_no_secret_and_is_the_same_again_when_it_is_read(secret, before, after):
    secrets = Secrets({"X": secret})
    text = json.dumps({"a": before + secret + after}, ensure_ascii=False)

    stored = secrets.stored(text)

    if "⟦" not in text and secrets:
        assert secret not in json.loads(stored)["a"].replace("⟦secret X⟧", "")
        assert json.loads(secrets.restored(stored)) == json.loads(text)


@given(st.binary(max_size=5), st.text(min_size=8, max_size=20), st.binary(max_size=5), st.booleans())
def test_secret_in_base64_is_found_wherever_it_stands_and_is_the_same_again_when_it_is_read(before, secret, after, url):
    data = before + secret.encode() + after
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    secrets = Secrets({"X": secret})

    stored = secrets.stored(json.dumps(text))

    if secrets:
        assert "[secret X]" in secrets.masked(text)
        assert "⟦secret X:base64" in stored
        assert json.loads(secrets.restored(stored)) == text


def test_name_has_a_reference_that_is_followed_and_in_paths_what_is_shown():
    secrets = Secrets({"K": "hunter2-hunter2"})

    assert secrets.stored_name("Desk hunter2-hunter2") == "Desk ⟦secret K⟧"
    assert secrets.restored_name("Desk ⟦secret K⟧") == "Desk hunter2-hunter2"
    assert secrets.in_name("Desk hunter2-hunter2") == "Desk [secret K]"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("x-api-key", True),
        ("DB_PASSWORD", True),
        ("GITHUB_TOKEN", True),
        ("Authorization", True),
        ("JACKSTAY_RUN_KEY", False),
        ("KEYBOARD", False),
        ("max_tokens_per_min", False),
        ("MONKEY", False),
    ],
)
def test_names_that_tell_of_a_secret(name, secret):
    assert names_secret(name) == secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ann.o'hara@example.co.uk now", "write to ann.o'<EMAIL_ADDRESS> now"),
        ("card 4111 1111 1111 1111.", "card <CREDIT_CARD>."),
        ("card 5500-0000-0000-0004", "card <CREDIT_CARD>"),
        ("no card 4111 1111 1111 1112", "no card 4111 1111 1111 1112"),
        ("at 1764125107123 ms", "at 1764125107123 ms"),
        ("call +49 (30) 1234-567 or 555-234-5678", "call <PHONE_NUMBER> or <PHONE_NUMBER>"),
        ("run 0199a3b2-77aa-7bbb-8ccc-1234567890ab", "run 0199a3b2-77aa-7bbb-8ccc-1234567890ab"),
        ("on 2026-11-26T02:45:07+00:00", "on 2026-11-26T02:45:07+00:00"),
        ("key sk-proj-abcdefghijklmnopqrst", "key <API_KEY>"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer <SECRET>"),
        ('{"password": "hunter22"}', '{"password": "<SECRET>"}'),
        ("postgresql://me:pa55word@host/db", "postgresql://me:<SECRET>@host/db"),
        ("used 123456 tokens, max_tokens=1234567", "used 123456 tokens, max_tokens=1234567"),
    ],
)
def test_usual_forms(text, masked):
    assert Masking().text(text) == masked


@pytest.mark.parametrize(
    ("name", "text", "masked"),
    [
        ("IBAN_CODE", "to DE89 3704 0044 0532 0130 00", "to <IBAN_CODE>"),
        ("IBAN_CODE", "to DE89 3704 0044 0532 0130 01", "to DE89 3704 0044 0532 0130 01"),
        ("IP_ADDRESS", "from 10.1.2.3, version 1.2.3.400", "from <IP_ADDRESS>, version 1.2.3.400"),
        (
            "IP_ADDRESS",
            "from 2001:db8::ff00:42:8329, at 12:30:45, std::map, a :: b",
            "from <IP_ADDRESS>, at 12:30:45, std::map, a :: b",
        ),
        ("MEDICAL_LICENSE", "DEA AB1234563, part AB1234567", "DEA <MEDICAL_LICENSE>, part AB1234567"),
        (
            "US_BANK_NUMBER",
            "Account number: 123456789012, order 123456789012",
            "Account number: <US_BANK_NUMBER>, order 123456789012",
        ),
        ("US_DRIVER_LICENSE", "driver's license no. D1234567", "driver's license no. <US_DRIVER_LICENSE>"),
        ("US_PASSPORT", "passport is 123456789; ticket 123456789", "passport is <US_PASSPORT>; ticket 123456789"),
        ("US_SSN", "ssn 123-45-6789", "ssn <US_SSN>"),
        ("URL", "see https://example.com/a?b=c.", "see <URL>"),
    ],
)
def test_forms_by_name(name, text, masked):
    assert FORMS[name].masked(text) == masked


HOSTILE = (
    *("a", "1", "-", ".", ":", "1-", "1.", "a.", "a@", "a.b@", "F:", "://a:", "0x", "A1", "DE89 3704 ", "account ", "sk-", "+1 "),
    *("password=", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "passport: "),
)  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_take_hostile_texts_of_any_length(name):
    """A text that an expression reads again from each of its characters would take it hours."""
    for piece in HOSTILE:
        FORMS[name].masked(piece * (200_000 // len(piece)))


def test_masked_twice_is_masked_once():
    masking = Masking(Secrets({"K": "hunter2-hunter2"}))
    text = "password=hunter2-hunter2, to bob@example.com, +49 30 123456789"

    once = masking.text(text)

    assert masking.text(once) == once
    assert "hunter2" not in once


def test_data_is_masked_in_keys_and_values_and_what_a_key_names_secret_is_not_shown():
    data = {"to": ["bob@example.com"], "api_key": "xyz", "n": 3, "bob@example.com": None}

    assert Masking().data(data) == {"to": ["<EMAIL_ADDRESS>"], "api_key": "<SECRET>", "n": 3, "<EMAIL_ADDRESS>": None}
