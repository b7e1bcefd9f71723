"""Inputs that their owner encrypted: read under their key, refused when anything of them is another."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chancery_app import encrypted
from chancery_app.errors import AppError, Code
from job import dataset, key_id, payload, segment, sign
from test_run import PEOPLE, PEOPLE_CSV

KEY = bytes(range(32))
DATASET = "7f1a2b3c-0000-4000-8000-000000000010"


def seal(content: bytes, name: str, key: bytes = KEY, chunk: int = encrypted.CHUNK_BYTES) -> bytes:
    """The format, written anew from docs/secrets.md."""
    header = b"CHNCENC1" + bytes(16)
    cipher = AESGCM(encrypted._file_key(key, header[8:]))
    chunks = [content[at : at + chunk] for at in range(0, len(content), chunk)] or [b""]
    sealed = header
    for number, part in enumerate(chunks):
        last = number == len(chunks) - 1
        nonce = number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
        sealed += cipher.encrypt(nonce, part, header + name.encode())
    return sealed


def secrets_file(folder: Path, secrets: dict[str, bytes]) -> Path:
    file = folder / "secrets.json"
    text = {name: base64.urlsafe_b64encode(key).rstrip(b"=").decode() for name, key in secrets.items()}
    file.write_text(json.dumps(text))
    return file


@pytest.fixture
def people(tmp_path):
    folder = tmp_path / "data" / "people"
    folder.mkdir(parents=True)
    (folder / "people.csv.enc").write_bytes(seal(PEOPLE_CSV.encode(), "people.csv"))
    return dataset("people", folder, PEOPLE, encryption="chunked-aes-256-gcm", dataset=DATASET)


@pytest.fixture
def go(tmp_path, session):
    def start(source, secrets=None, sql="SELECT id, team FROM people"):
        from chancery_app.app import main

        spec = tmp_path / "spec.cose"
        spec.write_bytes(sign(payload([source], [segment(1, "result", sql)], tmp_path / "out" / "run")))
        arguments = ["--spec", str(spec), "--executor-key", key_id().hex(), "--status-dir", str(tmp_path / "status")]
        if secrets is not None:
            arguments += ["--secrets", str(secrets_file(tmp_path, secrets))]
        main(arguments, session=session)
        assert not (tmp_path / "secrets.json").exists(), "the keys are gone whatever becomes of the run"
        return json.loads((tmp_path / "status" / "status.json").read_text())

    return start


def test_an_encrypted_input_is_read_under_its_key_and_leaves_nothing_clear(tmp_path, go, people, monkeypatch):
    monkeypatch.setattr(encrypted.tempfile, "tempdir", str(tmp_path))
    status = go(people, {DATASET: KEY})
    assert status["outcome"] == "succeeded", status
    assert status["manifest"]["rows"] == 4
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith(("run-", "clear-"))]
    assert left == []


@pytest.mark.parametrize(
    ("secrets", "code"),
    [
        (None, "secret_missing"),
        ({}, "secret_missing"),
        ({"7f1a2b3c-0000-4000-8000-000000000099": KEY}, "secret_missing"),
        ({DATASET: KEY[:31]}, "secret_invalid"),
        ({DATASET: bytes(32)}, "dataset_not_decrypted"),
    ],
)
def test_without_the_right_key_nothing_is_read(go, people, secrets, code):
    assert go(people, secrets)["code"] == code


def test_a_file_that_is_not_encrypted_or_not_named_so_is_refused(go, people):
    folder = Path(people["path"])
    (folder / "more.csv").write_text(PEOPLE_CSV)
    assert go(people, {DATASET: KEY})["code"] == "dataset_not_decrypted"
    (folder / "more.csv").rename(folder / "more.csv.enc")
    assert go(people, {DATASET: KEY})["code"] == "dataset_not_decrypted"


def clear(tmp_path, sealed: bytes, name: str = "a.csv") -> bytes:
    source, target = tmp_path / "sealed", tmp_path / "clear"
    source.write_bytes(sealed)
    target.unlink(missing_ok=True)
    encrypted._decrypt("people", str(source), str(target), name, KEY)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    return target.read_bytes()


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_chunks_at_their_edges(tmp_path, chunks, extra):
    size = max(0, chunks * encrypted.CHUNK_BYTES + extra)
    content = os.urandom(size)
    assert clear(tmp_path, seal(content, "a.csv")) == content


def test_no_chunk_is_moved_repeated_left_out_or_cut_off_and_no_file_passes_for_another(tmp_path):
    size = encrypted.CHUNK_BYTES
    whole = seal(os.urandom(2 * size + 5), "a.csv")
    step = size + encrypted.TAG_BYTES
    header, one, two, last = whole[:24], whole[24 : 24 + step], whole[24 + step : 24 + 2 * step], whole[24 + 2 * step :]
    assert clear(tmp_path, header + one + two + last)
    wrong = [
        header + two + one + last,
        header + one + one + last,
        header + one + last,
        header + one + two,
        header + one,
        header,
        header + one + two + last + last,
        header + one + two + last[:-1],
        b"CHNCENC2" + whole[8:],
        header[:8] + bytes([1]) + header[9:] + one + two + last,
        whole[:30] + bytes([whole[30] ^ 1]) + whole[31:],
        whole[:10],
        b"",
    ]
    for sealed in wrong:
        with pytest.raises(AppError) as refused:
            clear(tmp_path, sealed)
        assert refused.value.code is Code.DATASET_NOT_DECRYPTED
    with pytest.raises(AppError):
        clear(tmp_path, whole, "b.csv")


def test_the_file_of_the_secrets_is_removed_also_where_it_is_none(tmp_path):
    assert encrypted.take_secrets(None) == {}
    assert encrypted.take_secrets(str(tmp_path / "missing")) == {}
    for content in ["", "[]", '{"a": 1}', '{"a": "!"}', '{"a": "A"}', "x" * (encrypted.SECRETS_BYTES_MAX + 1)]:
        file = tmp_path / "secrets.json"
        file.write_text(content)
        with pytest.raises(AppError) as refused:
            encrypted.take_secrets(str(file))
        assert refused.value.code is Code.SECRET_INVALID
        assert not file.exists()
        assert "!" not in refused.value.detail
