"""The two files that the executor reads: progress.json while a run goes on, status.json at its end."""

import json
import os

from .durable import write_atomically
from .errors import AppError
from .spec import Spec

VERSION = 1
WITHHELD = "withheld: consent to logging is withdrawn"


class Status:
    """Writes into one run's status folder, which it makes."""

    # Whether consent to logging is withdrawn: no label and no detail then, codes and counts only.
    silent = False

    def __init__(self, folder: str):
        self._folder = os.path.abspath(folder)
        os.makedirs(self._folder, exist_ok=True)

    def progress(self, stage: str, done: int, total: int, label: str) -> None:
        label = "" if self.silent else label
        self._write("progress.json", {"stage": stage, "done": done, "total": total, "label": label})

    def succeeded(self, spec: Spec, result: dict) -> None:
        self._write("status.json", {
            "v": VERSION,
            "outcome": "succeeded",
            "run": spec.run,
            "query_digest": spec.query_digest,
            "spec_digest": spec.digest,
            **result,
        })  # fmt: skip

    def failed(self, run: str | None, error: AppError) -> None:
        """`run` is null where the spec's signature did not verify: its word counts for nothing."""
        self._write("status.json", {
            "v": VERSION,
            "outcome": "failed",
            "run": run,
            "code": error.code.value,
            "detail": WITHHELD if self.silent else error.detail,
        })  # fmt: skip

    def _write(self, name: str, value: dict) -> None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        write_atomically(os.path.join(self._folder, name), text.encode() + b"\n")
