"""Builds, signs and runs job specs, as the executor does."""

import base64
import copy
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chancery_app.app import main
from chancery_app.cose import CONTENT_TYPE
from chancery_app.measurement import application_measurement

RUN = "7f1a2b3c-0000-4000-8000-000000000003"
EXPIRES_MS = 4_102_444_800_000  # 2100-01-01
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def sha256(data: str | bytes) -> str:
    data = data.encode() if isinstance(data, str) else data
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def public_bytes(key=KEY) -> bytes:
    return key.public_key().public_bytes_raw()


def key_id(key=KEY) -> bytes:
    return hashlib.sha256(public_bytes(key)).digest()


def dataset(alias: str, path: Path, columns: dict[str, str], **changes) -> dict:
    return {
        "alias": alias,
        "dataset": "7f1a2b3c-0000-4000-8000-000000000010",
        "version_digest": sha256(alias),
        "format": "csv",
        "path": str(path),
        "null_value": "NA",
        "columns": [{"name": n, "type": t} for n, t in columns.items()],
        "allowed_columns": list(columns),
        "row_identity": False,
    } | changes


def segment(order: int, view: str, sql: str, original: str | None = None, **changes) -> dict:
    original = sql if original is None else original
    return {
        "order": order,
        "view": view,
        "text": original,
        "sql": sql,
        "text_digest": sha256(original),
        "sql_digest": sha256(sql),
        "reads": None,
        "output": None,
        "pre_conditions": [],
        "post_filters": [],
        "groups": [],
    } | changes


# A relation and its alias, if it has one that is no keyword.
RELATION = (
    r"(?i)\b(?:from|join)\s+(\w+)"
    r"(?:\s+(?:as\s+)?(?!(?:join|inner|left|right|full|cross|on|using|where|group|order|having|limit)\b)(\w+))?"
)


def declare(inputs: list[dict], segments: list[dict]) -> list[dict]:
    """The segments with what they read and give, where a test says nothing else of it.

    Told by words, or by qualified names where an alias has any: enough for the texts of the tests,
    where a column's name is in no other use and no relation stands twice.
    """
    columns = {i["alias"]: [*i["allowed_columns"], f"__chancery_row_{i['alias']}"] for i in inputs}
    declared = dict.fromkeys(range(len(segments)))
    for place in sorted(declared, key=lambda place: segments[place]["order"]):
        one = segments[place]
        sql = re.sub("'[^']*'", "", one["sql"])
        words = set(re.findall(r"\w+", sql))
        if one["reads"] is None:
            reads = []
            for relation, alias in re.findall(RELATION, sql):
                qualified = set(re.findall(rf"\b{alias or relation}\.(\w+)", sql))
                read = set(columns.get(relation, ())) & (qualified or words)
                if relation in columns:
                    reads.append({"relation": relation, "columns": sorted(read)})
            one = one | {"reads": reads}
        if one["output"] is None:
            one = one | {"output": output(sql)}
        columns[one["view"]] = one["output"]
        declared[place] = one
    return list(declared.values())


def output(sql: str) -> list[str]:
    """The names of a text's output, or one that fits no text."""
    found = re.match(r"(?is)\s*select\s+(?:distinct\s+)?(.*?)\sfrom\s", sql)
    if not found:
        return ["unknown"]
    items, depth = [""], 0
    for c in found[1]:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            items.append("")
        else:
            items[-1] += c
    return [re.split(r"[\s.]+", item.strip())[-1] for item in items]


def payload(inputs: list[dict], segments: list[dict], output: Path, format: str = "csv") -> dict:
    return {
        "v": 1,
        "audience": "chancery/v1/spark-application",
        "collaboration": "7f1a2b3c-0000-4000-8000-000000000001",
        "run": RUN,
        "query": "7f1a2b3c-0000-4000-8000-000000000002",
        "query_digest": sha256("query"),
        "application_measurement": application_measurement(),
        "executor_public_key": base64.urlsafe_b64encode(public_bytes()).rstrip(b"=").decode(),
        "nonce": sha256("nonce"),
        "expires_ms": EXPIRES_MS,
        "inputs": inputs,
        "output": {"dataset": "7f1a2b3c-0000-4000-8000-000000000011", "format": format, "path": str(output)},
        "segments": declare(inputs, segments),
    }


def changed(base: dict, path: tuple, value) -> dict:
    """A copy of `base` with the value at `path` replaced."""
    whole = copy.deepcopy(base)
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return whole


def encode(value) -> bytes:
    return cbor2.dumps(value, canonical=True)


def sign(
    content: dict | bytes, key=KEY, kid: bytes | None = None, header: dict | None = None, unprotected=None
) -> bytes:
    body = content if isinstance(content, bytes) else encode(content)
    protected = encode(header if header is not None else {1: -8, 3: CONTENT_TYPE, 4: key_id(key) if kid is None else kid})
    signature = key.sign(encode(["Signature1", protected, b"", body]))
    return encode(cbor2.CBORTag(18, [protected, unprotected or {}, body, signature]))


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    status: dict
    folder: Path

    @property
    def code(self) -> str | None:
        return self.status.get("code")

    @property
    def detail(self) -> str:
        return self.status["detail"]


def run(folder: Path, spec: bytes, session, pin: bytes | None = None) -> Outcome:
    """Runs `spec` as spark-submit would, in `folder`."""
    file = folder / "spec.cose"
    file.write_bytes(spec)
    arguments = ["--spec", str(file), "--executor-key", (pin or key_id()).hex(), "--status-dir", str(folder / "status")]
    exit_code = main(arguments, session=session)
    return Outcome(exit_code, json.loads((folder / "status" / "status.json").read_text()), folder)
