"""Files of a run are written all or nothing."""

from __future__ import annotations

import errno
import os
import shutil

from mmengine.fileio import LocalBackend, register_backend

from ssvad.files import write_bytes

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


# In the place of mmengine's own, because its strategies (FSDP) pass no backend on.
@register_backend('local', force=True, prefixes='')
class WholeFileBackend(LocalBackend):
    """mmengine's storage in local folders, with files that are never half written.

    mmengine writes straight into the file, so that a process killed at the wrong
    moment, or a full disk, leaves neither the old checkpoint nor the new one. Here the
    new file takes the old one's place when it is whole and on the disk.
    """

    def put(self, obj: bytes | memoryview, filepath: str | os.PathLike) -> None:
        """Write a file.

        Raises:
            OSError: if it cannot be written; where room is missing, the message tells
                how much. What was in the file before is still there.
        """
        try:
            write_bytes(filepath, obj)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            free = shutil.disk_usage(os.path.dirname(filepath) or '.').free
            raise OSError(
                error.errno,
                f'{error.strerror}: {len(obj)} bytes needed, {free} free; not written',
                str(filepath),
            ) from error

    def put_text(
        self, obj: str, filepath: str | os.PathLike, encoding: str = 'utf-8'
    ) -> None:
        """Write a text file; see :meth:`put`."""
        self.put(obj.encode(encoding), filepath)
