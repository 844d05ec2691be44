"""Videos of a folder, without any annotation."""

from __future__ import annotations

import logging
import os
import os.path as osp
from collections.abc import Iterator
from typing import Callable

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.fileio import join_path
from mmengine.logging import print_log
from mmengine.utils import is_abs

from ssvad.annotations import read_split

from .frame_reader import VideoReadError, count_frames

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


def find_videos(folder: str) -> dict[str, str]:
    """Look for video files in a folder and all folders below it.

    Files count by their suffix (``VIDEO_SUFFIXES``, in capitals too) and are not
    opened. Links to folders are followed, except back to a folder they lie in; names
    that begin with a dot are left out.

    Args:
        folder: Where to look.

    Returns:
        Paths by video id, in the order of the names, folder by folder. The id is the
        path below ``folder`` with '/' and without suffix.

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If it holds no video, or two whose paths differ in the suffix only.
    """
    if not osp.isdir(folder):
        raise NotADirectoryError(f'{folder!r}: no such folder of videos')
    videos = {}
    for path in _walk(folder, frozenset()):
        video_id = osp.splitext(osp.relpath(path, folder))[0].replace(os.sep, '/')
        if video_id in videos:
            raise ValueError(
                f'{videos[video_id]} and {path} would both be video {video_id!r}; '
                'remove or rename one of them'
            )
        videos[video_id] = path
    if not videos:
        raise ValueError(
            f'{folder!r}: no video in this folder or below, looked for '
            f'{", ".join(VIDEO_SUFFIXES)}'
        )
    return videos


def _walk(folder: str, parents: frozenset[str]) -> Iterator[str]:
    real = osp.realpath(folder)
    if real in parents:
        return
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith('.'):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, parents | {real})
        elif entry.name.lower().endswith(VIDEO_SUFFIXES):
            yield entry.path


@DATASETS.register_module()
class VideoFolder(BaseActionDataset):
    """All videos of a folder as unlabelled data, however many.

    A video gives the keys ``video_id`` and ``filename`` only. Starting looks at names,
    not into files; begin the pipeline with :class:`CountFrames`, sample with
    ``SampleTubeClip(trimmed=False)``, and bring the frames to a size that the crop
    fits in.

    The folder knows no classes. To concatenate it with annotated videos, put those
    first and write ``ConcatDataset(..., ignore_keys=['classes'])``.

    Args:
        pipeline: Transforms.
        data_prefix: ``dict(video=...)``: the folder, relative to ``data_root``.
        split_file: Text file with the ids to use, one a line, in the order they get;
            all videos by default. Relative to ``data_root`` too.
        kwargs: Further arguments of ``BaseActionDataset`` and ``BaseDataset``
            (``test_mode``, ``data_root``, ``indices``, ``lazy_init``, ...).

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If it holds no video, or lacks one that is listed.
    """

    def __init__(
        self,
        pipeline: list[dict | Callable],
        data_prefix: dict,
        split_file: str | None = None,
        **kwargs,
    ) -> None:
        if set(data_prefix) != {'video'}:
            raise ValueError(
                "data_prefix must be dict(video='folder of the videos'), got "
                f'{dict(data_prefix)}'
            )
        self.split_file = split_file
        super().__init__('', pipeline=pipeline, data_prefix=data_prefix, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.split_file and self.data_root and not is_abs(self.split_file):
            self.split_file = join_path(self.data_root, self.split_file)

    def load_data_list(self) -> list[dict]:
        """Look for the videos and keep those of the list."""
        folder = self.data_prefix['video']
        videos = find_videos(folder)
        ids = read_split(self.split_file) if self.split_file else videos
        unknown = [video_id for video_id in ids if video_id not in videos]
        if unknown:
            raise ValueError(
                f'{self.split_file}: {len(unknown)} of {len(ids)} videos are not in '
                f'{folder!r}, the first is {unknown[0]!r}; an id is the path of a '
                'video below the folder, without suffix'
            )
        return [dict(video_id=name, filename=videos[name]) for name in ids]


@TRANSFORMS.register_module()
class CountFrames(BaseTransform):
    """Ask the video file how many frames it has, when a clip is taken of it.

    For datasets that do not know, before frames are sampled. A file that cannot be
    opened is treated as ``OpenVideo`` treats one that cannot be decoded.

    Required Keys:

        - filename

    Added Keys:

        - total_frames

    Args:
        on_error: 'raise', or 'skip': warn, return None and let the dataset take
            another video (``BaseDataset`` does so in training, not in testing).

    Raises:
        VideoReadError: If the file cannot be opened, unless it is skipped.
    """

    def __init__(self, on_error: str = 'raise') -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.on_error = on_error

    def transform(self, results: dict) -> dict | None:
        """Add the number of frames; None if the sample is skipped."""
        try:
            results['total_frames'] = count_frames(results['filename'])
        except VideoReadError as error:
            if self.on_error == 'raise':
                raise
            print_log(
                f'skipped an unreadable video: {error}',
                logger='current',
                level=logging.WARNING,
            )
            return None
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(on_error={self.on_error!r})'
