"""The keys: files outside the database and outside every backup. Deleting one is the erasure.

A directory of mode 0700 holds files of mode 0600:

    kek                  32 bytes that wrap every case's key
    audit.key            32 bytes that key the audit chain
    cases/CASE.key       one case's random key, wrapped (AES-256-GCM)
    secrets/NAME         tokens that are made at first start

Every file appears whole or not at all, and the first of several processes to make one wins.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streams.errors import ConfigurationError, KeyDestroyedError, SealError
from streams.types import CaseId

KEY_BYTES = 32
"""AES-256 and HMAC-SHA-256."""

_NONCE_BYTES = 12
"""Of AES-GCM (NIST SP 800-38D). Random ones stay safe below 2^32 seals of one key."""

_MAGIC = b"HKEY1"
_KEK_MARK_BYTES = 8
_SEAL = b"\x01"  # format of what `seal` returns
_CASE = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class KeyStore:
    """One directory of keys. Thread-safe; several processes may share it.

    Nothing is cached: a key that one process destroyed is gone for all of them at once.

    Args:
        directory: made at first use; see `Settings.keys_dir`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, case: CaseId) -> None:
        """Give a case its key, unless it has one.

        Raises:
            ConfigurationError: the store cannot be written, or has lost its `kek`.
        """
        kek, nonce = self._kek(), os.urandom(_NONCE_BYTES)
        wrapped = AESGCM(kek).encrypt(nonce, os.urandom(KEY_BYTES), _wrapping(case))
        self._make(self._path(case), lambda: _MAGIC + _mark(kek) + nonce + wrapped)

    def has(self, case: CaseId) -> bool:
        """Say whether the case's key is there."""
        return self._path(case).is_file()

    def seal(self, case: CaseId, plaintext: bytes, *, context: str) -> bytes:
        """Encrypt with the case's key.

        Args:
            case: whose.
            plaintext: any length.
            context: what it is and where it belongs; it opens under the same words only.

        Raises:
            KeyDestroyedError: the case's key is gone.
        """
        nonce = os.urandom(_NONCE_BYTES)
        key = _derive(self._key(case), b"seal")
        return _SEAL + nonce + AESGCM(key).encrypt(nonce, plaintext, _binding(case, context))

    def open_sealed(self, case: CaseId, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what `seal` returned.

        Raises:
            KeyDestroyedError: the case's key is gone.
            SealError: altered, cut short, or sealed for another case or context.
        """
        key = _derive(self._key(case), b"seal")
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _SEAL or len(nonce) != _NONCE_BYTES:
            raise SealError("not a seal of this version")
        try:
            return AESGCM(key).decrypt(nonce, content, _binding(case, context))
        except InvalidTag:
            raise SealError("altered, or sealed for something else") from None

    def hmac(self, case: CaseId, content: bytes) -> str:
        """Name bytes within the case: HMAC-SHA-256 in hex, meaningless without the key.

        Raises:
            KeyDestroyedError: the case's key is gone.
        """
        return hmac.new(_derive(self._key(case), b"hmac"), content, hashlib.sha256).hexdigest()

    def destroy(self, case: CaseId) -> bool:
        """Overwrite and delete the case's key, on the disk when this returns. Idempotent.

        Returns:
            Whether it was still there.
        """
        path = self._path(case)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            os.write(descriptor, os.urandom(os.fstat(descriptor).st_size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink(missing_ok=True)
        _sync(path.parent)
        return True

    def audit_key(self) -> bytes:
        """Return the audit chain's key, made at first use."""
        return self._make(self._directory / "audit.key", lambda: os.urandom(KEY_BYTES))

    def secret(self, name: str) -> str:
        """Return a secret of the instance, made at first use.

        Args:
            name: e.g. "push_token"; "webhook_secret" is made as Standard Webhooks wants it.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("not a secret's name")
        make = _webhook_secret if name == "webhook_secret" else _token
        return self._make(self._directory / "secrets" / name, make).decode()

    def _path(self, case: CaseId) -> Path:
        if not _CASE.fullmatch(case):
            raise ValueError("not a case's identifier")
        return self._directory / "cases" / f"{case}.key"

    def _key(self, case: CaseId) -> bytes:
        try:
            stored = self._path(case).read_bytes()
        except FileNotFoundError:
            raise KeyDestroyedError("the case's key is gone") from None
        kek = self._kek()
        head = len(_MAGIC)
        if stored[:head] == _MAGIC and stored[head : head + _KEK_MARK_BYTES] != _mark(kek):
            raise ConfigurationError(f"{self._directory / 'kek'} is not the one of the case's key")
        body = stored[head + _KEK_MARK_BYTES :]
        try:
            return AESGCM(kek).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _wrapping(case))
        except (InvalidTag, ValueError):  # overwritten, and then the machine stopped
            raise KeyDestroyedError("the case's key is destroyed") from None

    def _kek(self) -> bytes:
        path = self._directory / "kek"
        if not path.is_file():
            wrapped = any((self._directory / "cases").glob("*.key"))
            if wrapped and not path.is_file():  # another process may just have made both
                raise ConfigurationError(f"{path} is missing, and cases have keys that it wraps")
        return self._make(path, lambda: os.urandom(KEY_BYTES))

    def _make(self, path: Path, content: Callable[[], bytes]) -> bytes:
        """Read a file, or make it whole and durable; of several makers the first wins."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
        try:
            return self._write_new(path, content())
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error

    def _write_new(self, path: Path, content: bytes) -> bytes:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with _scratch(path.parent) as (descriptor, scratch):
            os.write(descriptor, content)
            os.fsync(descriptor)
            try:
                os.link(scratch, path)
            except FileExistsError:
                return path.read_bytes()
        _sync(path.parent)
        return content


@contextmanager
def _scratch(folder: Path) -> Iterator[tuple[int, Path]]:
    """Open a new file of mode 0600; it is deleted in the end."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        yield descriptor, Path(name)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make what was created or deleted in a directory durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _derive(key: bytes, purpose: bytes) -> bytes:
    """Derive one key for one purpose: HKDF-SHA-256, RFC 5869."""
    info = b"haechi/1/" + purpose
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)


def _wrapping(case: CaseId) -> bytes:
    return f"haechi/1/case/{case}".encode()


def _binding(case: CaseId, context: str) -> bytes:
    return f"haechi/1/{case}/{context}".encode()


def _mark(kek: bytes) -> bytes:
    """Tell one `kek` from another without telling anything of it."""
    return hmac.new(kek, b"haechi/1/mark", hashlib.sha256).digest()[:_KEK_MARK_BYTES]


def _token() -> bytes:
    return secrets.token_urlsafe(KEY_BYTES).encode()


def _webhook_secret() -> bytes:
    return b"whsec_" + base64.b64encode(os.urandom(KEY_BYTES))
