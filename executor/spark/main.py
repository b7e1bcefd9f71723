"""spark-submit entry point: python code that is measured, and nothing that is not.

Python would take a stale .pyc or a module that lies beside this file before the
measured sources, so byte code caches are ignored and this folder is searched last.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.pycache_prefix = os.path.join(os.devnull, "pycache")
_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != _here] + [_here]

from chancery_app.app import main  # noqa: E402  the path is set first, on purpose

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
