"""Videos with action tubes, read from one neutral annotation file."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from typing import Callable

import numpy as np
from mmaction.registry import DATASETS

from ssvad.annotations import load_annotations

from .frame_folder import folder_of_frames
from .video_dataset import VideoDataset, listed


def dense_tubes(tubes: Sequence[dict], num_frames: int) -> np.ndarray:
    """Spread tubes over all frames of a video.

    Args:
        tubes: Each with ``start``, the first frame (0-based), and ``boxes``, one
            xyxy box a consecutive frame.
        num_frames: Length of the video, F.

    Returns:
        ``(n, F, 4)`` float32, NaN where a tube is absent.
    """
    dense = np.full((len(tubes), num_frames, 4), np.nan, dtype=np.float32)
    for row, tube in zip(dense, tubes):
        row[tube['start'] : tube['start'] + len(tube['boxes'])] = tube['boxes']
    return dense


@DATASETS.register_module()
class TubeDataset(VideoDataset):
    """Untrimmed or trimmed videos with the boxes of the actors, frame by frame.

    The annotation file is described in ``ssvad.annotations``; its ``classes``
    become ``metainfo['classes']``. A video gives the keys

    * ``video_id`` (str), ``filename`` (str), ``total_frames`` (int, F),
      ``height`` and ``width`` (int, pixels of the source video);
    * ``gt_tubes`` ``(n, F, 4)`` float32: xyxy, source pixels, right and bottom
      exclusive, NaN where the tube is absent; ``tube_labels`` ``(n,)`` int64;
    * ``label`` (int): class of the first tube, missing if there is none;
    * ``mask_file`` (str): its pixel masks, if the annotation names such a file and
      ``data_prefix`` their folder. Without the folder, boxes are all there is.

    The dense tubes are made on access; what is stored are the annotated boxes.

    A video may be a folder of its frames. One annotation serves both: if there is no
    file ``jump/one.avi``, but a folder ``jump/one``, that is taken.

    Args:
        ann_file: Neutral annotation file (JSON).
        pipeline: Transforms.
        data_prefix: ``dict(video=..., mask=...)``: folders that the names of video
            and mask files are relative to; ``mask`` is optional.
        filter_cfg: ``dict(filter_empty_gt=True)`` leaves out videos without tubes.
        kwargs: Further arguments of :class:`VideoDataset` (``split_file``,
            ``on_error``, ...) and ``BaseDataset`` (``test_mode``, ``data_root``, ...).

    Raises:
        ValueError: If an id of the split is unknown, if no video is left, or if a
            folder of masks is given and no video has any.
        FileNotFoundError: If video or mask files are missing; all are looked for at
            once.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        data_prefix: dict | None = None,
        filter_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        data_prefix = dict(video='') if data_prefix is None else data_prefix
        if set(data_prefix) not in ({'video'}, {'video', 'mask'}):
            raise ValueError(
                "data_prefix must be dict(video='folder of the videos'), with "
                "mask='folder of the masks' if there are any, got "
                f'{dict(data_prefix)}'
            )
        unknown = set(filter_cfg or ()) - {'filter_empty_gt'}
        if unknown:
            raise ValueError(
                f"filter_cfg knows 'filter_empty_gt' only, got {sorted(unknown)}"
            )
        super().__init__(
            ann_file,
            pipeline=pipeline,
            data_prefix=data_prefix,
            filter_cfg=filter_cfg,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the annotation file, keep the split, look for the video files."""
        annotations = load_annotations(self.ann_file)
        self._metainfo.setdefault('classes', tuple(annotations['classes']))
        videos = annotations['videos']
        if not videos:
            raise ValueError(f'{self.ann_file}: no videos in this annotation file')
        videos = self.select({v['id']: v for v in videos}, self.ann_file)
        data_list = [self.parse_data_info(video) for video in videos]
        self._require_files('video', [info['filename'] for info in data_list])
        if 'mask' in self.data_prefix:
            masks = [info['mask_file'] for info in data_list if 'mask_file' in info]
            if not masks and any(info['tubes'] for info in data_list):
                raise ValueError(
                    f'{self.ann_file}: data_prefix names a folder of masks, but no '
                    "video has 'masks'; convert the dataset again, or leave mask out "
                    'of data_prefix to take the boxes'
                )
            self._require_files('mask', masks)
        return data_list

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Keep what the pipeline needs of one video, boxes as float32 arrays."""
        tubes = [
            dict(start=tube['start'], boxes=np.asarray(tube['boxes'], np.float32))
            for tube in raw_data_info['tubes']
        ]
        labels = [tube['label'] for tube in raw_data_info['tubes']]
        info = dict(
            video_id=raw_data_info['id'],
            filename=self._find(raw_data_info['file']),
            total_frames=raw_data_info['num_frames'],
            height=raw_data_info['height'],
            width=raw_data_info['width'],
            tubes=tubes,
            tube_labels=np.asarray(labels, dtype=np.int64),
        )
        if labels:
            info['label'] = labels[0]
        if 'mask' in self.data_prefix and 'masks' in raw_data_info:
            folder = self.data_prefix['mask']
            info['mask_file'] = osp.join(folder, raw_data_info['masks'])
        return info

    def filter_data(self) -> list[dict]:
        """Leave out videos without tubes if ``filter_empty_gt`` asks for it."""
        if not (self.filter_cfg or {}).get('filter_empty_gt', False):
            return self.data_list
        kept = [info for info in self.data_list if info['tubes']]
        if not kept:
            raise ValueError(
                f'{self.split_file or self.ann_file}: none of the '
                f'{len(self.data_list)} videos has a tube, filter_empty_gt leaves '
                'nothing'
            )
        return kept

    def get_data_info(self, idx: int) -> dict:
        """One video with its tubes spread over all frames."""
        info = super().get_data_info(idx)
        info['gt_tubes'] = dense_tubes(info.pop('tubes'), info['total_frames'])
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes of a video, for ``ClassBalancedDataset``."""
        return sorted(set(self.get_data_info(idx)['tube_labels'].tolist()))

    def _find(self, file: str) -> str:
        name = osp.join(self.data_prefix['video'], file)
        if osp.isfile(name):
            return name
        folder = name if osp.isdir(name) else osp.splitext(name)[0]
        if not osp.isdir(folder):
            return name
        return osp.join(folder, self.filename_tmpl) if self.filename_tmpl else folder

    def _require_files(self, kind: str, filenames: Sequence[str]) -> None:
        missing = [
            name
            for name in filenames
            if not osp.isfile(name) and not (kind == 'video' and folder_of_frames(name))
        ]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(filenames)} {kind}s of {self.ann_file} are '
                f'missing: {listed(missing)}; is data_prefix=dict({kind}='
                f'{self.data_prefix[kind]!r}) right?'
            )
