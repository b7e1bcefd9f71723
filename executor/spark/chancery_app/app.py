"""The command line, and the order of a run: check all, start Spark, execute, tell the outcome."""

import argparse
import sys
import tempfile
import time
from dataclasses import replace

from . import spec as job
from .encrypted import decrypted, take_secrets
from .errors import AppError, unexpected
from .measurement import application_measurement
from .session import open_session
from .status import Status


def main(argv: list[str], session=open_session) -> int:
    """Runs one spec. Returns 0 on success, 1 on failure; either way status.json says so."""
    arguments = _arguments(argv)
    status = Status(arguments.status_dir)
    run: str | None = None
    silent = False
    try:
        status.progress("starting", 0, 1, "checking the spec")
        authentic = job.authenticate(job.read(arguments.spec), arguments.executor_key)
        run = authentic.run
        spec = job.accept(authentic, application_measurement(), time.time_ns() // 1_000_000)
        silent = status.silent = "logging" in spec.withheld
        secrets = take_secrets(arguments.secrets)
        status.progress("starting", 0, 1, "starting Spark")
        result = _execute(spec, secrets, status, session)
    except Exception as error:
        failure = error if isinstance(error, AppError) else unexpected(error)
        if not silent:
            print(f"chancery: run failed: {failure}", file=sys.stderr)
        status.failed(run, failure)
        return 1
    status.succeeded(spec, result)
    return 0


def _execute(spec: job.Spec, secrets: dict[str, bytes], status: Status, session) -> dict:
    with session() as spark:
        # Not before here: a refused spec loads nothing of Spark.
        from .run import execute

        with tempfile.TemporaryDirectory(prefix="run-") as folder:
            inputs = tuple(decrypted(source, secrets, folder) for source in spec.inputs)
            return execute(spark, replace(spec, inputs=inputs), status.progress)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chancery-spark", description="Runs one signed Chancery job spec.")
    parser.add_argument("--spec", required=True, help="the job spec, a COSE_Sign1 file")
    parser.add_argument(
        "--executor-key", required=True, type=_key_id, help="SHA-256 of the executor's public key, 64 hex digits"
    )
    parser.add_argument("--status-dir", required=True, help="folder for progress.json and status.json")
    parser.add_argument("--secrets", help="file with the keys of encrypted inputs: read once, then removed")
    return parser.parse_args(argv)


def _key_id(text: str) -> bytes:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("not 64 lower-case hex digits")
    return bytes.fromhex(text)
