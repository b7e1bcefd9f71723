"""The application measurement: a digest of the package's own sources, computed in Rust the same way.

It catches a wrong or drifted application. That the machine itself is honest is what
attestation of the machine shows; no program can measure itself against its host.
"""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def application_measurement(root: Path = ROOT) -> str:
    """`sha256:<hex>` over main.py and chancery_app/*.py under `root`, sorted by posix path.

    For each file: u64 big-endian length of the path, the path in UTF-8, u64 big-endian
    length of the content, the content.
    """
    files = [root / "main.py", *(root / "chancery_app").glob("*.py")]
    named = sorted((f.relative_to(root).as_posix().encode(), f) for f in files)
    digest = hashlib.sha256()
    for name, file in named:
        content = file.read_bytes()
        digest.update(len(name).to_bytes(8, "big") + name)
        digest.update(len(content).to_bytes(8, "big") + content)
    return f"sha256:{digest.hexdigest()}"
