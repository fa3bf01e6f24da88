"""Tokens at rest, and what may be shown of them."""

import html
import json
import re
import stat
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KEY_FILE, KeyRing, key_ring, new_key, redact, without_addresses
from creator_pipeline_tests.support import paths

OLD, NEW = new_key(), new_key()
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="*"), min_size=8, max_size=40)


@given(st.text(max_size=200))
def test_what_is_encrypted_comes_back_and_is_not_readable(text):
    """Guards: a token lost to an encoding."""
    ring = KeyRing([OLD])
    assert ring.decrypt(ring.encrypt(text)) == text


def test_a_new_first_key_reads_old_tokens_and_rotation_frees_them_of_the_old_key():
    """Guards: a rotation after which nobody can log in."""
    stored = KeyRing([OLD]).encrypt("gr_token")
    both = KeyRing([NEW, OLD])
    assert both.decrypt(stored) == "gr_token"
    assert KeyRing([NEW]).decrypt(both.rotate(stored)) == "gr_token"
    with pytest.raises(ConfigError, match="APP_SECRET_KEYS"):
        KeyRing([NEW]).decrypt(stored)


def test_a_new_first_key_does_not_change_the_hash_of_a_buyer():
    """Guards: every buyer counted twice after a rotation."""
    assert KeyRing([NEW, OLD]).hash_address(" Ada@Example.com ") == KeyRing([OLD]).hash_address("ada@example.COM")
    assert KeyRing([OLD]).hash_address("ada@example.com") != KeyRing([NEW]).hash_address("ada@example.com")


def test_what_is_derived_from_a_key_is_the_same_in_every_release():
    """Guards: an upgrade after which no buyer is known any more, and no link and no ping address is good."""
    ring = KeyRing(["A" * 43 + "="])
    assert ring.hash_address(" Ada@Example.com ") == "3ea2f100baec517ad84dc39e6038f93b"
    assert ring.purpose_key("oauth-state.v1") == ["744aca82ce402d320c2250eafd905f6e7de957fe5f866f34c693df322fe8f571"]
    assert KEY_FILE == "app_secret_keys"


@pytest.mark.parametrize("keys", [[], ["short"], ["x" * 44]])
def test_keys_that_are_none_are_refused_with_the_command_that_makes_one(keys):
    """Guards: a stack trace from a cryptography library for a typing error."""
    with pytest.raises(ConfigError, match="creator-pipeline keys new"):
        KeyRing(keys)


def test_the_key_is_generated_once_readable_by_its_owner_only(tmp_path):
    """Guards: a key that any user of the machine can read, or another one at each start."""
    with pytest.warns(UserWarning, match="APP_SECRET_KEYS is not set"):
        first = key_ring(None, tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / KEY_FILE).stat().st_mode) == 0o600
    assert key_ring(None, tmp_path / "new").decrypt(first.encrypt("x")) == "x"
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY_FILE]


_RACE = """
import sys, time, warnings
from pathlib import Path
from creator_pipeline.core.secrets import KeyRing, key_ring
warnings.simplefilter("ignore")
home = Path(sys.argv[1])
sys.stdin.readline()
print(key_ring(None, home).hash_address("a@example.com"))
"""


def test_processes_that_start_at_once_share_one_generated_key(tmp_path):
    """Guards: a token encrypted with a key that the other process has just overwritten."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _RACE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_root()
        )
        for _ in range(3)
    ]
    for process in started:
        process.stdin.write(b"\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in started}
    assert len(answers) == 1
    assert answers != {b""}


def _root() -> Path:
    return paths.ROOT


def _encodings(secret: str) -> dict[str, str]:
    """A secret as something that quotes a request may show it."""
    encoded, plain = quote(secret, safe=""), secret.encode()
    around = [b64encode(b"u:"[:offset] + plain + b":x").decode() for offset in range(3)]
    return {
        "plain": secret,
        "percent": encoded,
        "lower": re.sub("%..", lambda match: match.group().lower(), encoded),
        "some": quote(secret),
        "form": quote_plus(secret),
        "json": json.dumps(secret)[1:-1],
        "json, unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "html": html.escape(secret),
        "hex": plain.hex(),
        "backwards": secret[::-1],
        **{f"base64 {number}": text for number, text in enumerate(around)},
        **{f"base64url {number}": text.replace("+", "-").replace("/", "_") for number, text in enumerate(around)},
    }


@given(SECRETS, st.text(max_size=30), st.text(max_size=30))
@example("gr/secret+token=", "https://h/v2?x=", "&y=1")
@example("a\"b\\c<d>&e'f/", "", "")
def test_a_redacted_text_holds_the_secret_in_no_encoding(secret, before, after):
    """Guards: a token in a log as %2F in place of a slash, or %2f; or whole, in the base64 of a header."""
    # A text that holds half of the secret by itself says nothing about what was put beside it.
    assume(not any(secret[at : at + 4] in before + after for at in range(len(secret) - 3)))
    for name, form in _encodings(secret).items():
        shown = redact(f"{before}{form}{after}", [secret])
        # The first and the last sign of base64 belong in part to what stands beside the secret.
        assert form not in shown, (name, shown)
        assert form[2:-4] not in shown or len(form) < 16, (name, shown)
        assert not any(secret in reading for reading in (shown, unquote(shown), unquote_plus(shown))), (name, shown)


@pytest.mark.parametrize(
    "quoted", ["pass/word of mine", r"pass\/word of mine", "pass/word+of+mine", "pass%2fword+of%20mine"]
)
def test_a_secret_is_known_as_json_and_forms_write_it(quoted):
    """Guards: a password with a slash in a JSON error, and one with a space in a form, read by everybody."""
    assert redact(f"refused: {quoted}.", ["pass/word of mine"]) == "refused: ***."


def test_an_address_is_taken_out_in_either_writing():
    """Guards: a buyer's address in a run's log, in the URL that a platform quotes."""
    assert without_addresses("a.b@x.example, GET /s?email=a.b%40x.example&p=1") == (
        "[address], GET /s?email=[address]&p=1"
    )


def test_a_secret_that_begins_another_does_not_leave_the_rest_of_it():
    """Guards: half a token in a log because the shorter one was taken out first."""
    assert redact("a abcdefgh12345678 b", ["abcdefgh", "abcdefgh12345678"]) == "a *** b"


@pytest.mark.parametrize(
    "text", ["Authorization: Bearer gr_abc", "GET /x?access_token=gr_abc&b=1", "client_secret=gr_abc"]
)
def test_what_looks_like_a_credential_goes_without_being_named(text):
    """Guards: a token nobody thought of passing to redact."""
    assert "gr_abc" not in redact(text)


def test_the_environment_key_wins_over_the_file(tmp_path):
    """Guards: a generated file that shadows what the operator set."""
    ring = key_ring(f" {NEW} , {OLD} ", tmp_path)
    assert ring.decrypt(KeyRing([OLD]).encrypt("x")) == "x"
    assert list(tmp_path.iterdir()) == []
