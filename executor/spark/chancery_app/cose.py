"""COSE_Sign1 with Ed25519, RFC 9052 section 4.2 and RFC 9053 section 2.2, in the one form a spec takes.

Tag 18; protected header exactly {1: -8, 3: content type, 4: kid}; unprotected header empty; payload attached;
external_aad empty; kid = SHA-256 of the raw public key.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import canonical
from .errors import AppError, Code

TAG_SIGN1 = 18
HEADER_ALG, HEADER_CONTENT_TYPE, HEADER_KID = 1, 3, 4
CONTENT_TYPE = "application/chancery-job-spec+cbor"
ALG_EDDSA = -8
KEY_BYTES = 32
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Envelope:
    """A well-formed COSE_Sign1. Nothing in it is trusted before `verify`."""

    protected: bytes
    kid: bytes
    payload: bytes
    signature: bytes


def parse(data: bytes) -> Envelope:
    """Takes the envelope apart; any other form than the one above is `spec_malformed`."""
    tagged = canonical.decode(data, "envelope")
    if not isinstance(tagged, cbor2.CBORTag) or tagged.tag != TAG_SIGN1:
        raise _malformed("not tagged as COSE_Sign1")
    parts = tagged.value
    if not isinstance(parts, (list, tuple)) or len(parts) != 4:
        raise _malformed("not an array of four")
    protected, unprotected, payload, signature = parts
    if type(protected) is not bytes:
        raise _malformed("protected header is not a byte string")
    # Below a tag cbor2 gives its immutable kinds: tuple for list, frozendict for dict.
    if not isinstance(unprotected, Mapping) or len(unprotected) != 0:
        raise _malformed("unprotected header is not an empty map")
    if type(payload) is not bytes:
        raise _malformed("payload is not attached")
    if type(signature) is not bytes or len(signature) != SIGNATURE_BYTES:
        raise _malformed("signature is not 64 bytes")
    header = canonical.decode(protected, "protected header")
    if type(header) is not dict or set(header) != {HEADER_ALG, HEADER_CONTENT_TYPE, HEADER_KID}:
        raise _malformed("protected header is not exactly alg, content type and kid")
    if header[HEADER_CONTENT_TYPE] != CONTENT_TYPE:
        raise _malformed("content type is not that of a job spec")
    if type(header[HEADER_ALG]) is not int or header[HEADER_ALG] != ALG_EDDSA:
        raise _malformed("algorithm is not EdDSA")
    kid = header[HEADER_KID]
    if type(kid) is not bytes or len(kid) != hashlib.sha256().digest_size:
        raise _malformed("kid is not 32 bytes")
    return Envelope(protected, kid, payload, signature)


def verify(envelope: Envelope, public_key: bytes, pin: bytes) -> None:
    """Refuses unless `public_key` hashes to the pin and to kid, and signed this envelope."""
    key_id = hashlib.sha256(public_key).digest()
    if key_id != pin:
        raise AppError(Code.EXECUTOR_KEY_MISMATCH, "the spec's key is not the pinned executor key")
    if key_id != envelope.kid:
        raise AppError(Code.EXECUTOR_KEY_MISMATCH, "kid does not name the spec's key")
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(envelope.signature, signed_bytes(envelope.protected, envelope.payload))
    except (InvalidSignature, ValueError) as error:
        raise AppError(Code.SPEC_SIGNATURE_INVALID, "the executor's signature does not verify") from error


def signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure of RFC 9052 section 4.4."""
    return cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)


def _malformed(detail: str) -> AppError:
    return AppError(Code.SPEC_MALFORMED, f"envelope: {detail}")
