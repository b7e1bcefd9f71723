"""The files of an input, and CSV headers: what must be right before Spark reads a row."""

import csv
import os

from .errors import AppError, Code
from .spec import Input

FILES_MAX = 10_000
HEADER_CHARS_MAX = 1 << 20
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate", ".xz")


def data_files(source: Input) -> list[str]:
    """The files under the input's path that Spark will read: all but names that begin with _ or a dot."""
    if os.path.isfile(source.path):
        return [source.path]
    found: list[str] = []
    for folder, folders, names in os.walk(source.path):
        folders[:] = sorted(d for d in folders if not d.startswith(("_", ".")))
        found += [os.path.join(folder, n) for n in sorted(names) if not n.startswith(("_", "."))]
        if len(found) > FILES_MAX:
            raise AppError(Code.DATASET_UNREADABLE, f"{source.alias}: more than {FILES_MAX} files")
    if not found:
        raise AppError(Code.DATASET_UNREADABLE, f"{source.alias}: no data file")
    return found


def check_csv_headers(source: Input, files: list[str]) -> None:
    """Refuses a header that is not exactly the declared columns, and names the first that is wrong.

    Only declared names are told: without a header, a file's first line is a row of data.
    """
    for file in files:
        if not file.endswith(COMPRESSED):
            _check_header(source, _header(source, file))


def _header(source: Input, file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", newline="") as lines:
            return next(csv.reader([lines.readline(HEADER_CHARS_MAX)]), [])
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise AppError(Code.DATASET_UNREADABLE, f"{source.alias}: header: {type(error).__name__}") from error


def _check_header(source: Input, header: list[str]) -> None:
    for position, column in enumerate(source.columns):
        if position >= len(header) or header[position] != column.name:
            raise AppError(
                Code.DATASET_SCHEMA_MISMATCH,
                f"{source.alias}: column {column.name} is not in the header at position {position + 1}",
            )
    if len(header) != len(source.columns):
        raise AppError(
            Code.DATASET_SCHEMA_MISMATCH,
            f"{source.alias}: header has {len(header)} columns, {len(source.columns)} are declared",
        )
