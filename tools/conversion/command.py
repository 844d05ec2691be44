"""How the converters leave when a file is not what they expect."""

from __future__ import annotations

from collections.abc import Callable


def run(main: Callable[[], None]) -> None:
    """Run a tool; a file at fault is one line on standard error, exit status 1."""
    try:
        main()
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
