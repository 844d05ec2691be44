"""From videos to tubes, with the call of MMAction2's inferencers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from itertools import islice
from pathlib import Path

import mmengine
import numpy as np
from mmaction.registry import INFERENCERS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from torch import nn

from ssvad.datasets.unreadable import VideoReadError

from .frame_transforms import fit_whole_frame, stream_settings
from .masks import Spool, encode_rle, mask_in_source
from .model_loading import ConfigLike, build_detector, read_config
from .results import plain_tubes, write_pictures
from .sources import Input, VideoSource, find_sources
from .streaming import StreamedBlock, stream_video
from .tube_collector import TubeCollector, tube_evaluator

SEEN_ENOUGH = 0.5


@INFERENCERS.register_module(name='spatio-temporal-action-detection')
@INFERENCERS.register_module()
class TubeInferencer:
    """Finds out who does what, where and when in videos of any length.

    Frames go through what the test pipeline of the config does to them, and tubes come
    about as in the evaluation, with the settings of the config's ``FrameVideoMAP``: for
    the same video they are the same. Memory does not grow with the video, except by
    the boxes that are found.

    Args:
        model: path of a config, a config, or a built detector; None takes the config
            that lies beside ``weights`` in the folder of a training.
        weights: path or address of a checkpoint, whose names must fit one by one.
        device: e.g. ``'cuda:1'``; None takes what there is.
        label_file: text file with a class name a line; by default names come from the
            checkpoint.
        prefix: of the weights to take, e.g. ``'detector.'`` for the detector that a
            semi-supervised training has wrapped, if ``model`` is not wrapped.
        pipeline: test pipeline instead of that of the config; a built detector has
            none and sees whole frames.
        short_side: show whole frames, scaled to this many pixels at their shorter
            side, instead of what the pipeline does; for videos of another size than
            the data set's.
        clips_per_forward: see :func:`stream_video`; the model's own by default.
        mask_thr: smallest probability that is foreground; that of the evaluator by
            default.
        score_thr: smallest score of a tube that is reported.
        evaluator: arguments of ``FrameVideoMAP`` to change, e.g.
            ``dict(topk_classes=1, class_score='clip', linker=dict(min_len=8))``.
        show_progress: whether to show a bar.

    Raises:
        FileNotFoundError: if there is no such config, checkpoint or list of labels.
        ValueError: if weights or pipeline do not fit.
    """

    def __init__(
        self,
        model: ConfigLike | nn.Module | None = None,
        weights: str | os.PathLike | None = None,
        device: str | None = None,
        label_file: str | None = None,
        prefix: str = '',
        pipeline: Sequence[dict] | None = None,
        short_side: int | None = None,
        clips_per_forward: int | None = None,
        mask_thr: float | None = None,
        score_thr: float = 0.0,
        evaluator: Mapping | None = None,
        show_progress: bool = True,
    ) -> None:
        self.cfg, self.classes = Config(), []
        if not isinstance(model, nn.Module):
            weights = None if weights is None else os.fspath(weights)
            self.cfg = read_config(model, weights)
            model, self.classes = build_detector(self.cfg, weights, prefix)
            if weights is None:
                _warn('no weights were given: the network is random, so are its tubes')
        elif weights is not None:
            raise ValueError(
                'a built model has its weights; give a config with weights'
            )
        if label_file is not None:
            self.classes = mmengine.list_from_file(label_file)
        self.model = model.to(device or get_device()).eval()
        changes = dict(evaluator or {})
        if mask_thr is not None:
            changes['mask_to_box'] = {**changes.get('mask_to_box', {}), 'thr': mask_thr}
        self.evaluator = tube_evaluator(self.cfg.get('test_evaluator'), changes)
        self.mask_thr = signature(self.evaluator.find_boxes).parameters['thr'].default
        self.score_thr = score_thr
        if pipeline is None and 'test_dataloader' in self.cfg:
            pipeline = self.cfg.test_dataloader.dataset.get('pipeline', [])
        self.stream = {} if pipeline is None else stream_settings(pipeline)
        if short_side is not None:
            self.stream['transforms'] = [fit_whole_frame(short_side)]
        if clips_per_forward is None:
            detector = getattr(model, 'detector', model)
            clips_per_forward = getattr(detector, 'clips_per_forward', 8)
        self.stream['clips_per_forward'] = clips_per_forward
        self.show_progress = show_progress
        self._warned = False

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        vid_out_dir: str | os.PathLike = '',
        pred_out_file: str = '',
        return_masks: bool = False,
        max_frames: int | None = None,
        on_error: str = 'raise',
    ) -> dict:
        """Infer videos, one after the other.

        Args:
            inputs: see :func:`find_sources`.
            vid_out_dir: folder for ``<name>.mp4`` with masks and tubes drawn,
                ``<name>.png``, a row of its frames, and ``<name>.json``; written when a
                video is done. '' writes none.
            pred_out_file: JSON, YAML or pickle file for the predictions of all videos.
            return_masks: whether predictions hold the mask of every frame.
            max_frames: frames after which a video ends; a camera ends with Ctrl-C too.
            on_error: 'raise', or 'skip' and warn of files that cannot be read.

        Returns:
            ``predictions``: for each video a dict of plain Python with ``video``,
            ``fps``, ``num_frames``, ``width``, ``height`` and ``tubes``, best first,
            see :func:`plain_tubes`; with ``return_masks`` also ``masks``, for each
            frame what :func:`encode_rle` gives, in pixels of the video.
            ``visualization``: paths of the videos written.

        Raises:
            ValueError: as :func:`find_sources` and :func:`stream_video`, or if a file
                to write is the one to read, or labels do not fit.
            VideoReadError: for a file that cannot be read, with its name.
        """
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        sources = find_sources(inputs)
        paths = [_output_path(source, vid_out_dir) for source in sources]
        predictions, written = [], []
        columns = '{task.description}', BarColumn(), MofNCompleteColumn()
        with Progress(
            *(*columns, TimeRemainingColumn()),
            console=Console(stderr=True),
            disable=not self.show_progress,
        ) as progress:
            for source, path in zip(sources, paths):
                try:
                    result = self._infer(
                        source, path, return_masks, max_frames, progress
                    )
                except VideoReadError as error:
                    if on_error == 'raise':
                        raise
                    _warn(f'skipped a video that cannot be read: {error}')
                    continue
                predictions.append(result)
                written += [f'{path}.mp4'] if path else []
        if pred_out_file:
            mmengine.dump(dict(predictions=predictions), pred_out_file)
        return dict(predictions=predictions, visualization=written)

    def _infer(
        self,
        source: VideoSource,
        path: Path | None,
        return_masks: bool,
        max_frames: int | None,
        progress: Progress,
    ) -> dict:
        """Infer one video, then read it again to draw."""
        for task in progress.tasks:  # those of the video before
            progress.remove_task(task.id)
        collector, block = TubeCollector(self.evaluator), None
        with Spool() as masks, Spool() as pictures:
            frames = islice(source.open(), max_frames)
            if path and source.live:
                frames = pictures.keep_pictures(frames)
            total = min(filter(None, (source.length, max_frames)), default=None)
            frames = progress.track(frames, total, description=source.name)
            settings = dict(self.stream, name=source.video)
            try:
                for block in stream_video(self.model, frames, **settings):
                    self._check(block, source.video)
                    collector.add(block)
                    if path or return_masks:
                        masks.keep_masks(_in_source(block, self.mask_thr))
            except KeyboardInterrupt:
                if not source.live or block is None:
                    raise
            height, width = block.original_shape
            tubes = [t for t in collector.tubes() if t.score >= self.score_thr]
            result = dict(
                video=source.video,
                fps=source.fps,
                num_frames=collector.num_frames,
                width=width,
                height=height,
                tubes=plain_tubes(tubes, self.classes),
            )
            if return_masks:
                result['masks'] = [encode_rle(mask) for mask in masks.masks()]
            if path:
                frames = pictures.pictures() if source.live else source.open()
                frames = islice(frames, collector.num_frames)
                what = dict(total=collector.num_frames, description='drawing')
                frames = progress.track(frames, **what)
                seen = block.crop_quadruple
                write_pictures(path, result, frames, masks.masks(), seen)
                mmengine.dump(result, f'{path}.json')
        return result

    def _check(self, block: StreamedBlock, video: str) -> None:
        num_classes = block.clip_scores.shape[1]
        if self.classes and len(self.classes) != num_classes:
            raise ValueError(
                f'{len(self.classes)} class names are given ({self.classes[:3]}...), '
                f'the network scores {num_classes}; pass their list as label_file'
            )
        share = float(np.prod(block.crop_quadruple[2:]))
        if share < SEEN_ENOUGH and not self._warned:
            height, width = block.original_shape
            _warn(
                f'{video}: the test pipeline shows the network only {share:.0%} of the '
                f'{width} x {height} frame; with short_side it sees all of it, at a '
                'scale to choose'
            )
            self._warned = True


def _in_source(block: StreamedBlock, thr: float) -> Iterator[np.ndarray]:
    """The masks of a block in pixels of the source."""
    place = block.crop_quadruple, block.original_shape
    return (mask_in_source(mask >= thr, *place) for mask in block.mask)


def _output_path(source: VideoSource, folder: str | os.PathLike) -> Path | None:
    """Path without suffix of the files to write about a video."""
    if not os.fspath(folder):
        return None
    path = Path(folder, source.name)
    target = path.with_name(f'{path.name}.mp4')
    if target.exists() and os.path.exists(source.video):
        if target.samefile(source.video):
            raise ValueError(
                f'{target} would be overwritten by its own rendering; take another '
                'folder than that of the videos'
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
