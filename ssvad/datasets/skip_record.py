"""Which videos were skipped, known to all processes that load a dataset."""

from __future__ import annotations

import atexit
import json
import os
import tempfile


class SkipRecord:
    """Names of videos and why they were skipped, shared by all copies of the record.

    The workers of a ``DataLoader`` are processes with a copy of the dataset each, and
    without ``persistent_workers`` new ones every epoch, so that a number in the dataset
    would count anew. What they share is a temporary file: a line for each video,
    appended in one piece, removed when the process that made the record ends.
    """

    def __init__(self) -> None:
        handle, self.path = tempfile.mkstemp(prefix='ssvad-skipped-', suffix='.jsonl')
        os.close(handle)
        atexit.register(_remove, self.path, os.getpid())

    def add(self, name: str, reason: str) -> tuple[dict[str, str], bool]:
        """Note a video.

        Args:
            name: What tells the video from others.
            reason: Why it is skipped.

        Returns:
            All videos up to this one with the reason first given, in the order in which
            they were noted, and whether this one is new.
        """
        line = json.dumps([name, reason]).encode() + b'\n'
        with open(self.path, 'a+b', buffering=0) as file:
            file.seek(0)
            # without a line that another process is just writing
            noted = _parse(file.read().rpartition(b'\n')[0].splitlines())
            if name in noted:
                return noted, False
            file.write(line)
            # others may have written since: the order of the lines tells who was first
            end = file.tell()
            file.seek(0)
            lines = file.read(end).splitlines()
        return _parse(lines), name not in _parse(lines[:-1])


def _parse(lines: list[bytes]) -> dict[str, str]:
    noted: dict[str, str] = {}
    for line in lines:
        noted.setdefault(*json.loads(line))
    return noted


def _remove(path: str, owner: int) -> None:
    # a forked process inherits the call
    if os.getpid() == owner and os.path.exists(path):
        os.remove(path)
