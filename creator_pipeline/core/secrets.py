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
from urllib.parse import unquote, urlsplit

from creator_pipeline.core.errors import ConfigError

KEY_FILE = "app_secret_keys"
_SECRET_PARAMETER = re.compile(r"(?i)((?:access_token|refresh_token|client_secret|token|key|code)=)[^&\s\"']+")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',]+")
# Bounded as addresses are: what a platform quotes can be a long line without one, and must not cost its square.
_ADDRESS = re.compile(r"[\w.+%-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+")
_BETWEEN = re.compile(r"[/?&=@:]")
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

    Args:
        file: where the keys are from. Keys put in front of it while this process runs are taken up.

    Raises:
        ConfigError: no key, or one that is not 32 url-safe base64 bytes.
    """

    def __init__(self, keys: Sequence[str], file: Path | None = None) -> None:
        self._file, self._seen = file, _state(file)
        self._take(keys)

    def _take(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        if not keys:
            raise ConfigError("APP_SECRET_KEYS is empty.", hint="One is printed by: creator-pipeline keys new")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigError(
                "APP_SECRET_KEYS holds something that is not a Fernet key.",
                hint="One is printed by: creator-pipeline keys new",
            ) from error
        self._keys = tuple(keys)

    def _taken_up(self) -> bool:
        """Whether there are other keys now."""
        if self._file is None or (seen := _state(self._file)) == self._seen:
            return False
        self._take(read_keys(self._file))
        self._seen = seen
        return True

    def encrypt(self, text: str) -> str:
        """Encrypt with the first key."""
        self._taken_up()
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Decrypt with whichever key fits.

        Raises:
            ConfigError: no key fits: the key it was encrypted with is gone.
        """
        from cryptography.fernet import InvalidToken

        used = self._fernet
        try:
            return used.decrypt(token.encode()).decode()
        except InvalidToken:
            # Asked only now: a look at the file for each token would cost more than the token. Another thread may
            # have looked meanwhile.
            if self._taken_up() or self._fernet is not used:
                return self.decrypt(token)
            raise ConfigError(
                "A stored token can't be decrypted with any key of APP_SECRET_KEYS.",
                hint="Put the former key back (any place but the first), or connect the platform again.",
            ) from None

    def rotate(self, token: str) -> str:
        """The same secret under the first key; the very same text where it is under it already.

        Raises:
            ConfigError: no key fits.
        """
        from cryptography.fernet import Fernet, InvalidToken

        self._taken_up()
        try:
            Fernet(self._keys[0]).decrypt(token.encode())
        except InvalidToken:
            return self.encrypt(self.decrypt(token))
        return token

    @cached_property
    def _hash_key(self) -> bytes:
        # The oldest key: adding a key must not change the hash of a buyer who is already stored.
        return _hash_key(self._keys[-1])

    def hash_address(self, address: str) -> str:
        """Keyed hash of an e-mail address, the same for any case of its letters: 32 hex digits."""
        return _hash(self._hash_key, address)

    def hashes_of(self, address: str) -> list[str]:
        """:meth:`hash_address` by each key, the oldest first: what it is now, and what it is when that key is gone."""
        self._taken_up()
        return [_hash(_hash_key(key), address) for key in reversed(self._keys)]

    def purpose_key(self, purpose: str) -> list[str]:
        """One derived signing key per ring key, oldest first, separate for each purpose (OAuth state, links)."""
        self._taken_up()
        return [hashlib.sha256(f"{purpose}:{key}".encode()).hexdigest() for key in reversed(self._keys)]


def _hash(key: bytes, address: str) -> str:
    mac = _begun(key).copy()
    mac.update(address.strip().casefold().encode())
    return mac.hexdigest()[:32]


@lru_cache(maxsize=8)
def _begun(key: bytes) -> hmac.HMAC:
    # hmac.digest gives up Python's lock for each address, and readers of many pages then wait for each other.
    return hmac.new(key, digestmod="sha256")


def new_key() -> str:
    """A fresh Fernet key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def key_ring(configured: str | None, home: Path) -> KeyRing:
    """The ring of ``APP_SECRET_KEYS``, else the one generated once into ``home`` with mode 0600."""
    if configured:
        return KeyRing(_split(configured))
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
    return KeyRing(read_keys(path), path)


def read_keys(path: Path) -> list[str]:
    """The keys of the generated file."""
    return _split(path.read_text(encoding="utf-8"))


def put_in_front(path: Path, key: str) -> None:
    """A key for the generated file: whole or not at all, and none that another process puts there is lost."""
    import fcntl

    with path.with_name(f"{KEY_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(",".join([key, *read_keys(path)]) + "\n", encoding="utf-8")
        draft.replace(path)


def _split(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def _state(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _hash_key(key: str) -> bytes:
    return hashlib.sha256(b"buyer-hash.v1" + key.encode()).digest()


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


def passwords(url: str) -> list[str]:
    """The password of an address, as it stands there and decoded; none where it has none."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return []
    return [password, unquote(password)]


def url_parts(text: str) -> Iterator[str]:
    """What is secret in addresses whose path is the secret: each whole, its password, and what looks like a token.

    Args:
        text: addresses, separated by spaces.
    """
    for address in text.split():
        yield address
        yield from passwords(address)
        for part in _BETWEEN.split(address.partition("://")[2]):
            # Words of a path (services, webhook) are no tokens, and would black out words of a message.
            if len(part) >= 20 or any(map(str.isdigit, part)) or part not in {part.lower(), part.capitalize()}:
                yield from (part, unquote(part))


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
