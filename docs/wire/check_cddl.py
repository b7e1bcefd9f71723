"""Validates the vectors of wire version 1 and of proofs by an implementation of CDDL that is not ours.

    pip install cddl-verifier==1.5.3 && python docs/wire/check_cddl.py

Good vectors must match their rule; reject vectors must not, but for those whose fault is none that
a grammar of data items can say.
"""

import json
import pathlib
import sys

from cddl_verifier import CBORDecodeError, Validator, schema_diagnostics

HERE = pathlib.Path(__file__).parent

# Faults beyond the grammar: encodings, signatures, and links between fields.
BEYOND = (
    "trailing-byte", "indefinite-array", "by-another-key", "signature-flipped", "map-head-too-long",
    "duplicate-key", "first-with-previous", "later-without-previous", "by-the-key-that-it-brings",
    "is-empty", "are-empty", "path-cut", "path-of-another-leaf", "index-is-size",
)


def rule_of(vector: dict) -> str | None:
    """The rule that a vector is held to, if the grammar has one."""
    match vector["kind"], vector.get("read_as"):
        case (("receipt-of-inclusion" | "receipt-of-consistency") as kind, _):
            return kind
        case ("reject", _) if vector["file"].startswith("reject-receipt-"):
            return "receipt-of-inclusion"
        case ("entry", _) | ("reject", "entry"):
            return "sealed-entry"
        case ("content", _):
            return vector["action"]
        case ("reject", "content of query.approve"):
            return "query.approve"
        case ("signed", _) if "service-command" in vector["content_type"]:
            return "service-command"
        case ("reject", "service-command"):
            return "service-command"
        case ("signed", _):
            return "member-command" if "command" in vector["content_type"] else "executor-report"
        case ("reject", "command"):
            return "member-command"
        case ("reject", "executor-report"):
            return "executor-report"
    return None


def matches(validator: Validator, rule: str, data: bytes) -> bool:
    try:
        return validator.validate(data, rule).valid
    except CBORDecodeError:
        return False


def check(grammar: str, vectors: str) -> tuple[int, list[str]]:
    """How many vectors of a folder were held to a grammar, and which were wrong."""
    cddl = (HERE / grammar).read_text()
    for diagnostic in schema_diagnostics(cddl):
        print(f"{grammar}: {diagnostic}")
    validator = Validator(cddl)
    folder = HERE / "vectors" / vectors
    index = json.loads((folder / "index.json").read_text())
    checked, wrong = 0, []
    for vector in index["vectors"]:
        name, rule = vector["file"], rule_of(vector)
        if rule is None:
            continue
        checked += 1
        good = vector["kind"] != "reject"
        if not good and any(part in name for part in BEYOND):
            continue
        if matches(validator, rule, (folder / name).read_bytes()) != good:
            wrong.append(f"{name} {'does not match' if good else 'matches'} {rule}")
    return checked, wrong


def main() -> int:
    checked, wrong = check("v1.cddl", "v1")
    more, also = check("proofs-v1.cddl", "proofs-v1")
    wrong += also
    print("\n".join([*wrong, f"{checked + more} vectors checked, {len(wrong)} wrong"]))
    return 1 if wrong or not checked or not more else 0


if __name__ == "__main__":
    sys.exit(main())
