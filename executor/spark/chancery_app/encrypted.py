"""Files that their owner encrypted, in chunks under AES-256-GCM: format, limits and meaning in docs/secrets.md.

A file is a header, MAGIC and a salt, and then its chunks. Its key is derived from the data key and the salt; the
nonce of a chunk is its number and whether it is the last, so that no chunk can be moved, repeated, left out or cut
off; and the file's name in the dataset goes into every tag, so that no file passes for another.
"""

import base64
import binascii
import json
import os
import re
import tempfile
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import AppError, Code
from .files import data_files
from .spec import Input

MAGIC = b"CHNCENC1"
SALT_BYTES = 16
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
KEY_BYTES = 32
CHUNKS_MAX = 1 << 32
SUFFIX = ".enc"
INFO = b"chancery/v1/encrypted-file"
SECRETS_BYTES_MAX = 1 << 20


def take_secrets(path: str | None) -> dict[str, bytes]:
    """The data keys by dataset, from a file that is gone when this returns. Nothing where there is no file."""
    if path is None:
        return {}
    try:
        with open(path, "rb") as file:
            data = file.read(SECRETS_BYTES_MAX + 1)
        os.unlink(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AppError(Code.SECRET_INVALID, f"secrets: {type(error).__name__}") from error
    try:
        if len(data) > SECRETS_BYTES_MAX:
            raise ValueError
        found = json.loads(data)
        return {dataset: _base64url(text) for dataset, text in found.items()}
    except (ValueError, AttributeError, TypeError, binascii.Error):
        # Not the cause: its text could hold a part of a key.
        raise AppError(Code.SECRET_INVALID, "the file of the secrets is not one") from None


def _base64url(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decrypted(source: Input, secrets: dict[str, bytes], folder: str) -> Input:
    """The same input over clear files below `folder`, which lies in the run's own private folder.

    Spark reads files, so the clear text lies there for as long as the run lasts. Where hardware protects the run, it
    protects that folder: it is on the guest's own disk or memory.
    """
    if source.encryption is None:
        return source
    key = secrets.get(source.dataset)
    if key is None:
        raise AppError(Code.SECRET_MISSING, f"{source.alias}: its files are encrypted, and no key came with the run")
    if len(key) != KEY_BYTES:
        raise AppError(Code.SECRET_INVALID, f"{source.alias}: its secret is no key of {KEY_BYTES} bytes")
    clear = tempfile.mkdtemp(prefix="clear-", dir=folder)
    root = source.path if os.path.isdir(source.path) else os.path.dirname(source.path)
    for file in data_files(source):
        name = os.path.relpath(file, root)
        if not name.endswith(SUFFIX):
            raise AppError(Code.DATASET_NOT_DECRYPTED, f"{source.alias}: a file does not end in {SUFFIX}")
        name = name.removesuffix(SUFFIX)
        target = os.path.join(clear, name)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        _decrypt(source.alias, file, target, name, key)
    return replace(source, path=clear, encryption=None)


def _decrypt(alias: str, file: str, target: str, name: str, key: bytes) -> None:
    try:
        with open(file, "rb") as sealed, open(target, "xb", opener=_private) as clear:
            header = sealed.read(len(MAGIC) + SALT_BYTES)
            if len(header) != len(MAGIC) + SALT_BYTES or not header.startswith(MAGIC):
                raise _refused(alias)
            cipher = AESGCM(_file_key(key, header[len(MAGIC) :]))
            bound = header + name.encode()
            chunk = sealed.read(CHUNK_BYTES + TAG_BYTES)
            for number in range(CHUNKS_MAX):
                following = sealed.read(CHUNK_BYTES + TAG_BYTES)
                clear.write(cipher.decrypt(_nonce(number, last=not following), chunk, bound))
                if not following:
                    return
                chunk = following
            raise _refused(alias)
    except (InvalidTag, ValueError):
        raise _refused(alias) from None
    except OSError as error:
        raise AppError(Code.DATASET_UNREADABLE, f"{alias}: {type(error).__name__}") from error


def _refused(alias: str) -> AppError:
    return AppError(Code.DATASET_NOT_DECRYPTED, f"{alias}: a file is not what was encrypted under this key and name")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _file_key(key: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=INFO).derive(key)


def _nonce(number: int, last: bool) -> bytes:
    """12 bytes: the number in 11, then 1 for the last chunk."""
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
