"""Files that are there whole, or not at all, also after a crash."""

import os


def write_atomically(path: str, data: bytes) -> None:
    """Replaces `path` by `data`: temporary file, fsync, rename, fsync of the folder."""
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
