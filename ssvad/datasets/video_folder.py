"""Videos of a folder, without any annotation."""

from __future__ import annotations

import os
import os.path as osp
from collections.abc import Iterator
from typing import Callable

from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform

from .frame_folder import is_frame
from .frame_reader import count_frames
from .video_dataset import VideoDataset

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


def find_videos(folder: str) -> dict[str, str]:
    """Look for videos in a folder and all folders below it.

    Files count by their suffix (``VIDEO_SUFFIXES``, in capitals too) and are not
    opened. A folder below ``folder`` that holds numbered pictures, and neither videos
    nor folders, is one video too. Links to folders are followed, except back to a
    folder they lie in; names that begin with a dot are left out.

    Args:
        folder: Where to look.

    Returns:
        Paths by video id, in the order of the names, folder by folder. The id is the
        path below ``folder`` with '/', of a file without suffix.

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If it holds no video, or two that would have one id.
    """
    if not osp.isdir(folder):
        raise NotADirectoryError(f'{folder!r}: no such folder of videos')
    videos = {}
    for path in _walk(folder, frozenset()):
        video_id = osp.relpath(path, folder).replace(os.sep, '/')
        if path.lower().endswith(VIDEO_SUFFIXES):
            video_id = osp.splitext(video_id)[0]
        if video_id in videos:
            raise ValueError(
                f'{videos[video_id]} and {path} would both be video {video_id!r}; '
                'remove or rename one of them'
            )
        videos[video_id] = path
    if not videos:
        raise ValueError(
            f'{folder!r}: no video in this folder or below, looked for '
            f'{", ".join(VIDEO_SUFFIXES)} and folders of numbered pictures'
        )
    return videos


def _walk(folder: str, parents: frozenset[str]) -> Iterator[str]:
    real = osp.realpath(folder)
    if real in parents:
        return
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    entries = [entry for entry in entries if not entry.name.startswith('.')]
    found = False
    for entry in entries:
        if entry.is_dir():
            found = True
            yield from _walk(entry.path, parents | {real})
        elif entry.name.lower().endswith(VIDEO_SUFFIXES):
            found = True
            yield entry.path
    if parents and not found and any(is_frame(entry.name) for entry in entries):
        yield folder


@DATASETS.register_module()
class VideoFolder(VideoDataset):
    """All videos of a folder as unlabelled data, however many.

    A video gives the keys ``video_id`` and ``filename`` only. Starting looks at names,
    not into files; begin the pipeline with :class:`CountFrames`, sample with
    ``SampleTubeClip(trimmed=False)``, and bring the frames to a size that the crop
    fits in. Videos may be folders of frames.

    The folder knows no classes. To concatenate it with annotated videos, put those
    first and write ``ConcatDataset(..., ignore_keys=['classes'])``.

    Args:
        pipeline: Transforms.
        data_prefix: ``dict(video=...)``: the folder, relative to ``data_root``.
        on_error: As in :class:`VideoDataset`, but unreadable files are skipped if
            nothing else is said.
        kwargs: Further arguments of :class:`VideoDataset` (``split_file``,
            ``filename_tmpl``, ``max_skipped``, ...) and ``BaseDataset``.

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If it holds no video, or lacks one that is listed.
    """

    def __init__(
        self,
        pipeline: list[dict | Callable],
        data_prefix: dict,
        on_error: str = 'skip',
        **kwargs,
    ) -> None:
        if set(data_prefix) != {'video'}:
            raise ValueError(
                "data_prefix must be dict(video='folder of the videos'), got "
                f'{dict(data_prefix)}'
            )
        super().__init__('', pipeline, data_prefix, on_error=on_error, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Look for the videos and keep those of the list."""
        folder = self.data_prefix['video']
        videos = {}
        for video_id, path in find_videos(folder).items():
            if self.filename_tmpl and osp.isdir(path):
                path = osp.join(path, self.filename_tmpl)
            videos[video_id] = dict(video_id=video_id, filename=path)
        return self.select(
            videos,
            repr(folder),
            '; an id is the path of a video below the folder, without suffix',
        )


@TRANSFORMS.register_module()
class CountFrames(BaseTransform):
    """Ask the video how many frames it has, when a clip is taken of it.

    For datasets that do not know, before frames are sampled.

    Required Keys:

        - filename

    Added Keys:

        - total_frames

    Raises:
        VideoReadError: If the video cannot be opened.
    """

    def transform(self, results: dict) -> dict:
        """Add the number of frames."""
        results['total_frames'] = count_frames(results['filename'])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
