"""Validates the vectors of wire version 1 by pycddl, a CDDL implementation that is not ours.

    pip install pycddl && python docs/wire/check_cddl.py

Every good vector must match its rule, and no payload may match with a field more or less.
"""

import json
import pathlib
import sys

import pycddl

HERE = pathlib.Path(__file__).parent
CDDL = (HERE / "v1.cddl").read_text()


def schema(rule: str) -> pycddl.Schema:
    return pycddl.Schema(f"root = {rule}\n{CDDL}")


def rule_of(vector: dict) -> str | None:
    match vector["kind"], vector["file"]:
        case "entry", _:
            return "sealed-entry"
        case "content", _:
            return vector["action"]
        case "signed", "signed-command.cbor":
            return "member-command"
        case "signed", "signed-executor-report.cbor":
            return "executor-report"
    return None


def main() -> int:
    folder = HERE / "vectors" / "v1"
    index = json.loads((folder / "index.json").read_text())
    checked = wrong = 0
    for vector in index["vectors"]:
        rule = rule_of(vector)
        refused = vector["kind"] == "reject" and vector["read_as"] == "entry"
        if rule is None and not refused:
            continue
        data = (folder / vector["file"]).read_bytes()
        try:
            schema(rule or "sealed-entry").validate_cbor(data)
            matches = True
        except (pycddl.ValidationError, ValueError) as error:
            matches, why = False, str(error)[:300]
        checked += 1
        if rule and not matches:
            wrong += 1
            print(f"{vector['file']} does not match {rule}: {why}")
        elif refused:
            print(f"{vector['file']}: {'matches (refused by more than the grammar)' if matches else 'no match'}")
    print(f"{checked} vectors checked, {wrong} wrong")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
