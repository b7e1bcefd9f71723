"""Validates the vectors of wire version 1 by pycddl, a CDDL implementation that is not ours.

    pip install pycddl cbor2 && python docs/wire/check_cddl.py

pycddl does not follow byte strings inside tagged arrays, so the envelopes are taken apart here: the
header, the payload, and the messages and contents inside an authority are each held to their rule.
"""

import functools
import json
import pathlib
import sys

import cbor2
import pycddl

HERE = pathlib.Path(__file__).parent
CDDL = (HERE / "v1.cddl").read_text()
MEDIA = "application/chancery-{}+cbor"


@functools.cache
def schema(rule: str) -> pycddl.Schema:
    return pycddl.Schema(f"root = {rule}\n{CDDL}")


def sign1(data: bytes, media: str, rule: str) -> bytes:
    """Checks an envelope and its payload, which it returns."""
    tag = cbor2.loads(data)
    assert tag.tag == 18 and tag.value[1] == {} and len(tag.value[3]) == 64, "not the envelope"
    schema(f'header<"{MEDIA.format(media)}">').validate_cbor(tag.value[0])
    schema(rule).validate_cbor(tag.value[2])
    return tag.value[2]


def entry(data: bytes) -> None:
    kind = cbor2.loads(cbor2.loads(data).value[2])[2]
    fields = cbor2.loads(sign1(data, "entry", f'entry-of<"{kind}", {kind}>'))
    schema("subject").validate_cbor(cbor2.dumps(fields[6]))
    match fields[11]:
        case [0, message, content]:
            signed(message, "command", content)
        case [2, message, content]:
            signed(message, "executor-report", content)
        case [1, witness]:
            schema(witness[6]).validate_cbor(witness[8])


def signed(data: bytes, media: str, content: bytes | None = None) -> None:
    command = cbor2.loads(sign1(data, media, "signed-command"))
    if content is not None:
        schema(command[4]).validate_cbor(content)


def check(vector: dict, data: bytes) -> bool:
    match vector["kind"], vector.get("read_as"):
        case ("entry", _) | ("reject", "entry"):
            entry(data)
        case ("content", _):
            schema(vector["action"]).validate_cbor(data)
        case ("reject", "content of query.approve"):
            schema("query.approve").validate_cbor(data)
        case ("signed", _):
            signed(data, vector["content_type"].removeprefix("application/chancery-").removesuffix("+cbor"))
        case ("reject", "command" | "executor-report"):
            signed(data, vector["read_as"])
        case ("log", _):
            for sealed in cbor2.loads(data):
                entry(sealed)
        case _:
            return False
    return True


# Wrong by what a grammar of data items can't say: encodings, signatures, and links between fields.
BEYOND_GRAMMAR = (
    "trailing-byte", "indefinite-array", "by-another-key", "signature-flipped", "map-head-too-long",
    "duplicate-key", "with-previous", "without-previous", "float",
)


def main() -> int:
    folder = HERE / "vectors" / "v1"
    index = json.loads((folder / "index.json").read_text())
    checked, wrong = 0, []
    for vector in index["vectors"]:
        name, refused = vector["file"], vector["kind"] == "reject"
        try:
            if not check(vector, (folder / name).read_bytes()):
                continue
            matches, why = True, "matches"
        except Exception as error:  # noqa: BLE001: whatever is wrong with it, it does not match
            matches, why = False, f"{type(error).__name__}: {str(error)[:200]}"
        checked += 1
        beyond = any(part in name for part in BEYOND_GRAMMAR)
        if matches == refused and not (refused and beyond):
            wrong.append(f"{name}: {why}")
    print("\n".join([*wrong, f"{checked} vectors checked, {len(wrong)} wrong"]))
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
