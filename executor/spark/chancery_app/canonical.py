"""Deterministic CBOR, RFC 8949 section 4.2.1: one encoding for each value, all others refused."""

import cbor2

from .errors import AppError, Code

DEPTH_MAX = 16
INT_MAX = 2**63 - 1


def decode(data: bytes, what: str):
    """The value that `data` encodes; refused unless re-encoding gives the same bytes.

    That refuses trailing bytes, long-form integers, indefinite lengths, duplicate keys and
    keys out of order. cbor2 sorts keys by length first, which for keys of one major type
    is the bytewise order that 4.2.1 asks for; `data_model` refuses other keys.
    """
    try:
        value = cbor2.loads(data)
        again = cbor2.dumps(value, canonical=True)
    except Exception as error:
        raise AppError(Code.SPEC_MALFORMED, f"{what} is not CBOR: {type(error).__name__}") from error
    if again != data:
        raise AppError(Code.SPEC_NOT_CANONICAL, f"{what} is not deterministic CBOR")
    return value


def data_model(value, depth: int = 0) -> None:
    """Refuses all but maps with text keys, arrays, text, 64-bit integers, booleans and null."""
    if depth > DEPTH_MAX:
        raise AppError(Code.SPEC_INVALID, f"payload is nested deeper than {DEPTH_MAX}")
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise AppError(Code.SPEC_INVALID, "payload has a map key that is not text")
            data_model(item, depth + 1)
    elif kind is list:
        for item in value:
            data_model(item, depth + 1)
    elif kind is int:
        if not -INT_MAX - 1 <= value <= INT_MAX:
            raise AppError(Code.SPEC_INVALID, "payload has an integer beyond 64 bits")
    elif kind not in (str, bool, type(None)):
        raise AppError(Code.SPEC_INVALID, f"payload has a value of type {kind.__name__}")
