"""What all datasets of videos share: lists, frame folders, unreadable videos."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Callable

from mmaction.datasets import BaseActionDataset
from mmengine.fileio import join_path
from mmengine.logging import print_log
from mmengine.utils import is_abs

from ssvad.annotations import read_split

from .skip_record import SkipRecord
from .unreadable import VideoReadError


class VideoDataset(BaseActionDataset):
    """Base of the datasets: a list of ids, and one rule for unreadable videos.

    The rule holds for whatever the pipeline finds unreadable (``VideoReadError``), in
    counting frames, decoding or reading from a cache. A skipped video is replaced by
    another one drawn at random (mmengine's ``BaseDataset`` does so for samples that are
    None); never by an empty clip. Each is logged once with its reason; videos are
    counted once for all workers and epochs of a process (each rank of a distributed run
    counts its own). Testing never skips, since a result without some of the videos
    would be another result.

    Args:
        ann_file: Annotation file, '' if there is none.
        pipeline: Transforms.
        data_prefix: Folders by what they hold.
        split_file: Text file with the ids to use, one a line, in the order they get;
            all videos by default. Relative to ``data_root``.
        filename_tmpl: How frames are named in folders that hold other pictures too,
            e.g. 'img_{:05}.jpg'.
        on_error: 'raise', or 'skip' in training.
        max_skipped: The run stops when more videos than this are unreadable, or all.
        kwargs: Further arguments of ``BaseActionDataset`` and ``BaseDataset``.

    Raises:
        VideoReadError: When a video cannot be read, unless it is skipped.
        RuntimeError: When too many were skipped, with all names and reasons.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        data_prefix: Mapping[str, str],
        split_file: str | None = None,
        filename_tmpl: str | None = None,
        on_error: str = 'raise',
        max_skipped: int = 10,
        **kwargs,
    ) -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        if max_skipped < 0:
            raise ValueError(f'max_skipped must not be negative, got {max_skipped}')
        self.split_file = split_file
        self.filename_tmpl = filename_tmpl
        self.max_skipped = max_skipped
        test_mode = kwargs.get('test_mode', False)
        self._skipped = None
        if on_error == 'skip' and not test_mode:
            self._skipped = SkipRecord()
        super().__init__(ann_file, pipeline, data_prefix=data_prefix, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.split_file and self.data_root and not is_abs(self.split_file):
            self.split_file = join_path(self.data_root, self.split_file)

    def select(
        self, videos: Mapping[str, object], source: str, advice: str = ''
    ) -> list:
        """What belongs to the ids of the list, in its order; all without a list.

        Args:
            videos: By id.
            source: Where they are from.
            advice: What to do about unknown ids.

        Raises:
            ValueError: If an id is unknown.
        """
        if not self.split_file:
            return list(videos.values())
        ids = read_split(self.split_file)
        unknown = [video_id for video_id in ids if video_id not in videos]
        if unknown:
            raise ValueError(
                f'{self.split_file}: {len(unknown)} of {len(ids)} ids are not in '
                f'{source}: {listed(unknown)}{advice}'
            )
        return [videos[video_id] for video_id in ids]

    def prepare_data(self, idx: int) -> dict | None:
        """One sample; None if its video is skipped."""
        try:
            return super().prepare_data(idx)
        except VideoReadError as error:
            if self._skipped is None:
                choice = '' if self.test_mode else ", or set on_error='skip'"
                raise VideoReadError(
                    f'{error} (mend the video, take it off the list{choice})'
                ) from error
            self._skip(self.get_data_info(idx)['filename'], str(error))
            return None

    def _skip(self, name: str, reason: str) -> None:
        skipped, new = self._skipped.add(name, reason)
        if new:
            print_log(
                f'skipped an unreadable video, number {len(skipped)} of at most '
                f'{self.max_skipped}: {reason}',
                logger='current',
                level=logging.WARNING,
            )
        if len(skipped) > min(self.max_skipped, len(self) - 1):
            raise RuntimeError(
                f'{len(skipped)} of {len(self)} videos cannot be read, max_skipped='
                f'{self.max_skipped}:\n' + '\n'.join(skipped.values())
            )


def listed(names: list[str], count: int = 5) -> str:
    """The first names, and how many more there are."""
    text = ', '.join(map(repr, names[:count]))
    return text if len(names) <= count else f'{text} and {len(names) - count} more'
