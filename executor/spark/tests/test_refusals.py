"""Every reason to refuse a spec, each by one change to a spec that is accepted."""

import cbor2
import pytest

from chancery_app import cose
from chancery_app.errors import AppError
from chancery_app.measurement import application_measurement
from chancery_app.spec import accept, authenticate
from job import EXPIRES_MS, OTHER_KEY, RUN, changed, dataset, encode, key_id, payload, run, segment, sign

NOW_MS = EXPIRES_MS - 1


@pytest.fixture
def base(tmp_path):
    people = dataset("people", tmp_path / "people", {"id": "long", "name": "string"}, row_identity=True)
    one = segment(1, "named", "SELECT id FROM people", post_filters=[{"column": "id", "minimum": 1}])
    two = segment(2, "result", "SELECT id FROM named", pre_conditions=[{"view": "named", "min_rows": 1}])
    two["groups"] = [{"column": "__chancery_group_people", "minimum": 2}]
    return payload([people], [two, one], tmp_path / "out")


def check(spec: bytes, pin: bytes | None = None, now_ms: int = NOW_MS):
    return accept(authenticate(spec, pin or key_id()), application_measurement(), now_ms)


def refusal(*arguments, **named) -> tuple[str, str]:
    with pytest.raises(AppError) as caught:
        check(*arguments, **named)
    return caught.value.code.value, caught.value.detail


def test_accepts_the_spec_that_the_others_change(base):
    spec = check(sign(base))
    assert spec.run == RUN
    assert [s.view for s in spec.segments] == ["named", "result"], "ascending by order"


def test_any_flipped_bit_is_refused(base):
    whole = sign(base)
    for position in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[position] ^= 1 << position % 8
        refusal(bytes(broken))


def test_a_flipped_signature_byte(base):
    whole = bytearray(sign(base))
    whole[-1] ^= 1
    assert refusal(bytes(whole))[0] == "spec_signature_invalid"


def test_another_pin(base):
    assert refusal(sign(base), pin=key_id(OTHER_KEY))[0] == "executor_key_mismatch"


def test_a_kid_of_another_key(base):
    assert refusal(sign(base, kid=key_id(OTHER_KEY)))[0] == "executor_key_mismatch"


def test_a_signature_by_another_key(base):
    assert refusal(sign(base, key=OTHER_KEY, kid=key_id()))[0] == "spec_signature_invalid"


def test_external_aad_is_empty(base):
    assert cose.signed_bytes(b"\xa0", b"p") == encode(["Signature1", b"\xa0", b"", b"p"])


@pytest.mark.parametrize(
    "header",
    [
        {1: -7, 3: cose.CONTENT_TYPE, 4: bytes(32)},
        {1: -8, 3: cose.CONTENT_TYPE},
        {1: -8, 4: bytes(32)},
        {1: -8, 3: "application/chancery-entry+cbor", 4: bytes(32)},
        {1: -8, 3: cose.CONTENT_TYPE, 4: bytes(31)},
        {1: -8, 3: cose.CONTENT_TYPE, 4: bytes(32), 5: 0},
        {1: -8, 3: cose.CONTENT_TYPE, 4: "kid"},
    ],
)
def test_any_other_protected_header(base, header):
    assert refusal(sign(base, header=header))[0] == "spec_malformed"


def test_an_unprotected_header(base):
    assert refusal(sign(base, unprotected={4: key_id()}))[0] == "spec_malformed"


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: cbor2.CBORTag(98, v)])
def test_any_other_tag(base, wrap):
    parts = cbor2.loads(sign(base)).value
    assert refusal(encode(wrap(list(parts))))[0] == "spec_malformed"


@pytest.mark.parametrize("data", [b"", b"\xff", b"not a spec", encode(1), encode(cbor2.CBORTag(18, [1, 2, 3]))])
def test_anything_else(data):
    assert refusal(data)[0] in ("spec_malformed", "spec_not_canonical")


def test_trailing_bytes(base):
    assert refusal(sign(base) + b"\x00")[0] == "spec_not_canonical"


def test_an_expired_spec(base):
    assert refusal(sign(base), now_ms=EXPIRES_MS)[0] == "spec_expired"


def test_another_audience(base):
    assert refusal(sign(changed(base, ("audience",), "chancery/v1/log")))[0] == "audience_mismatch"


def test_another_measurement(base):
    other = changed(base, ("application_measurement",), "sha256:" + "0" * 64)
    code, detail = refusal(sign(other))
    assert code == "measurement_mismatch"
    assert application_measurement() in detail


def test_an_output_that_exists(base, tmp_path):
    (tmp_path / "out").mkdir()
    assert refusal(sign(base))[0] == "output_exists"


@pytest.mark.parametrize("key", ["text", "sql"])
def test_a_text_that_is_not_its_digest(base, key):
    other = changed(base, ("segments", 0, key), "SELECT name FROM named")
    assert refusal(sign(other))[0] == "digest_mismatch"


def reordered(base: dict) -> bytes:
    return cbor2.dumps(dict(reversed(base.items())))


def indefinite(base: dict) -> bytes:
    body = b"".join(encode(k) + encode(v) for k, v in cbor2.loads(encode(base)).items())
    return b"\xbf" + body + b"\xff"


def long_integer(base: dict) -> bytes:
    return encode(base).replace(encode("v") + b"\x01", encode("v") + b"\x18\x01")


def twice(base: dict) -> bytes:
    body = encode(base)
    return bytes([body[0] + 1]) + encode("v") + b"\x01" + body[1:]


@pytest.mark.parametrize("spelling", [reordered, indefinite, long_integer, twice])
def test_a_payload_that_is_not_deterministic_cbor(base, spelling):
    body = spelling(base)
    assert body != encode(base)
    assert refusal(sign(body))[0] == "spec_not_canonical"


@pytest.mark.parametrize("value", [1.5, b"bytes", cbor2.undefined, cbor2.CBORTag(1000, 0), 2**64, {1: 1}])
def test_a_value_outside_the_data_model(base, value):
    assert refusal(sign(changed(base, ("v",), value)))[0] == "spec_invalid"


INPUT, SEGMENT = ("inputs", 0), ("segments", 0)


@pytest.mark.parametrize("place", [(), INPUT, ("output",), SEGMENT, (*INPUT, "columns", 0), (*SEGMENT, "groups", 0)])
def test_an_unknown_key(base, place):
    code, detail = refusal(sign(changed(base, (*place, "extra"), 1)))
    assert code == "spec_invalid"
    assert "unknown key extra" in detail


@pytest.mark.parametrize("place", [(), INPUT, ("output",), SEGMENT])
def test_a_missing_key(base, place):
    whole = changed(base, (*place, "extra"), None)
    part = whole
    for step in place:
        part = part[step]
    del part["extra"]
    dropped = sorted(part)[-1]
    del part[dropped]
    assert refusal(sign(whole)) == ("spec_invalid", f"{_where(place)}: missing key {dropped}")


def _where(place: tuple) -> str:
    return "spec" if not place else "".join(f"[{p}]" if isinstance(p, int) else p for p in place)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("v",), 2),
        (("v",), True),
        (("run",), "not-a-uuid"),
        (("nonce",), "sha256:" + "A" * 64),
        (("expires_ms",), -1),
        (("inputs",), []),
        (("segments",), []),
        (("segments",), {}),
        (("withheld",), []),
        (("withheld",), ["execution"]),
        (("withheld",), ["logging", "logging"]),
        (("withheld",), "logging"),
        ((*INPUT, "alias"), "a.b"),
        ((*INPUT, "alias"), "__chancery_row_people"),
        ((*INPUT, "alias"), "NAMED"),
        ((*INPUT, "format"), "orc"),
        ((*INPUT, "path"), "relative/people"),
        ((*INPUT, "path"), "/data/../etc"),
        ((*INPUT, "path"), "/data/*"),
        ((*INPUT, "row_identity"), 1),
        ((*INPUT, "allowed_columns"), []),
        ((*INPUT, "allowed_columns"), ["id", "salary"]),
        ((*INPUT, "columns", 1, "name"), "ID"),
        ((*INPUT, "columns", 1, "name"), "__chancery_row_people"),
        ((*INPUT, "columns", 1, "type"), "bigint"),
        (("output", "path"), "/"),
        ((*SEGMENT, "order"), 1),
        ((*SEGMENT, "view"), "people"),
        ((*SEGMENT, "groups", 0, "column"), "__chancery_group_others"),
        ((*SEGMENT, "groups", 0, "minimum"), "2"),
        ((*SEGMENT, "pre_conditions", 0, "min_rows"), -1),
    ],
)
def test_a_field_that_is_not_what_it_must_be(base, place, value):
    assert refusal(sign(changed(base, place, value)))[0] == "spec_invalid"


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 43 + "=", "!" * 43, None])
def test_a_public_key_in_another_spelling(base, key):
    assert refusal(sign(changed(base, ("executor_public_key",), key)))[0] == "spec_invalid"


def test_a_refused_spec_starts_no_spark_and_says_so(base, tmp_path, no_session):
    outcome = run(tmp_path, sign(changed(base, ("expires_ms",), 1)), no_session)
    assert outcome.exit_code == 1
    assert outcome.status == {
        "v": 1,
        "outcome": "failed",
        "run": RUN,
        "code": "spec_expired",
        "detail": "expires_ms is past",
    }


def test_an_unsigned_run_id_is_not_repeated(base, tmp_path, no_session):
    outcome = run(tmp_path, sign(base), no_session, pin=key_id(OTHER_KEY))
    assert (outcome.code, outcome.status["run"]) == ("executor_key_mismatch", None)


def test_measurement_is_over_names_and_contents(tmp_path):
    import hashlib

    (tmp_path / "chancery_app" / "__pycache__").mkdir(parents=True)
    (tmp_path / "main.py").write_bytes(b"main")
    (tmp_path / "chancery_app" / "a.py").write_bytes(b"")
    (tmp_path / "README.md").write_bytes(b"not measured")
    u64 = lambda n: n.to_bytes(8, "big")  # noqa: E731
    expected = u64(17) + b"chancery_app/a.py" + u64(0) + u64(7) + b"main.py" + u64(4) + b"main"
    assert application_measurement(tmp_path) == f"sha256:{hashlib.sha256(expected).hexdigest()}"
