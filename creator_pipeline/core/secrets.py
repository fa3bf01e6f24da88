"""Secrets at rest: tokens encrypted with rotating Fernet keys, addresses kept as keyed hashes, text redacted."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import warnings
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from creator_pipeline.core.errors import ConfigError

KEY_FILE = "app_secret_keys"
_SECRET_PARAMETER = re.compile(r"(?i)((?:access_token|refresh_token|client_secret|token|key|code)=)[^&\s\"']+")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',]+")
# Bounded as addresses are: what a platform quotes can be a long line without one, and must not cost its square.
_ADDRESS = re.compile(r"[\w.+%-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+")
_ESCAPES = {
    '"': ('\\"', "&quot;"),
    "'": ("\\'", "&apos;"),
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    "/": ("\\/",),
    "\\": ("\\\\",),
    " ": ("+",),
}
"""How JSON, HTML and forms write some characters."""


class KeyRing:
    """Fernet keys: the first encrypts, all decrypt.

    Raises:
        ConfigError: no key, or one that is not 32 url-safe base64 bytes.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        if not keys:
            raise ConfigError("APP_SECRET_KEYS is empty.", hint="creator-pipeline keys new prints one.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigError(
                "APP_SECRET_KEYS holds something that is not a Fernet key.",
                hint="creator-pipeline keys new prints one.",
            ) from error
        self._keys = tuple(keys)

    def encrypt(self, text: str) -> str:
        """Encrypt with the first key."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Decrypt with whichever key fits.

        Raises:
            ConfigError: no key fits: the key it was encrypted with is gone.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise ConfigError(
                "A stored token can't be decrypted with any key of APP_SECRET_KEYS.",
                hint="Put the former key back (any place but the first), or connect the platform again.",
            ) from None

    def rotate(self, token: str) -> str:
        """The same secret under the first key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.rotate(token.encode()).decode()
        except InvalidToken:
            return self.encrypt(self.decrypt(token))

    @cached_property
    def _hash_keys(self) -> list[bytes]:
        return [hashlib.sha256(b"buyer-hash.v1" + key.encode()).digest() for key in reversed(self._keys)]

    def hash_address(self, address: str) -> str:
        """Keyed hash of an e-mail address, the same for any case of its letters: 32 hex digits."""
        # The oldest key: adding a key must not change the hash of a buyer who is already stored.
        return _keyed(self._hash_keys[0], address)

    def hashes_of(self, address: str) -> list[str]:
        """:meth:`hash_address` by each key, the oldest first: what it is now, and what it is when that key is gone."""
        return [_keyed(key, address) for key in self._hash_keys]

    def purpose_key(self, purpose: str) -> list[str]:
        """One derived signing key per ring key, oldest first, separate for each purpose (OAuth state, links)."""
        return [hashlib.sha256(f"{purpose}:{key}".encode()).hexdigest() for key in reversed(self._keys)]


def _keyed(key: bytes, address: str) -> str:
    return hmac.digest(key, address.strip().casefold().encode(), "sha256").hex()[:32]


def new_key() -> str:
    """A fresh Fernet key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def key_ring(configured: str | None, home: Path) -> KeyRing:
    """The ring of ``APP_SECRET_KEYS``, else the one generated once into ``home`` with mode 0600."""
    if configured:
        return KeyRing([key.strip() for key in configured.split(",") if key.strip()])
    path = home / KEY_FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(new_key() + "\n", encoding="utf-8")
        try:
            # link() fails where another process was first: both then read the same key.
            os.link(draft, path)
            warnings.warn(
                f"APP_SECRET_KEYS is not set: a key was generated into {path}. Keep it: stored tokens need it.",
                stacklevel=2,
            )
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return KeyRing([key.strip() for key in path.read_text(encoding="utf-8").split(",") if key.strip()])


def _any_encoding(character: str) -> str:
    # Each character by itself: libraries disagree on which ones they encode, and on the case of the digits.
    percent = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "replace"))
    point = ord(character)
    coded = rf"(?i:{percent}|\\u{point:04x}|&#{point};|&#x0*{point:x};)"
    # The longest first: a lone & would leave the rest of &amp;.
    return f"(?:{'|'.join([coded, *map(re.escape, _ESCAPES.get(character, ())), re.escape(character)])})"


def _base64(secret: bytes) -> Iterator[str]:
    """What is sure of ``secret`` in base64, whatever stands before and behind it: three ways, by its offset."""
    for offset in range(3):
        whole = b64encode(bytes(offset) + secret + bytes(3)).decode()
        sure = whole[-(-8 * offset // 6) : 8 * (offset + len(secret)) // 6]
        yield re.escape(sure).replace(r"\+", "[+-]").replace("/", "[/_]")


@lru_cache(maxsize=64)
def _forms(secret: str) -> re.Pattern[str]:
    forms = ["".join(map(_any_encoding, secret))]
    # Of a shorter one what is sure in base64 would be letters that any text has.
    if len(secret) >= 8:
        plain = secret.encode("utf-8", "replace")
        forms += [re.escape(secret[::-1]), f"(?i:{plain.hex()})", *_base64(plain)]
    return re.compile("|".join(forms))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the given secrets and without what looks like a credential.

    A secret is found as it is, percent-encoded, escaped for JSON or HTML, in base64, in hex, and backwards: what
    quotes a request may quote it in any of these.
    """
    # The longest first: one that another begins with must not leave the other's rest.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = _forms(secret).sub("***", text)
    return _BEARER.sub(r"\1***", _SECRET_PARAMETER.sub(r"\1***", text))


def without_addresses(text: str) -> str:
    """``text`` with ``[address]`` in place of e-mail addresses, also percent-encoded ones."""
    return _ADDRESS.sub("[address]", text)
