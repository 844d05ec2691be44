"""From streamed masks to the tubes that the evaluation makes of the same video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import NamedTuple

import numpy as np

from ssvad.evaluation import FrameVideoMAP
from ssvad.evaluation.clip_scores import classify_tracks_by_clip
from ssvad.evaluation.detections import classify_tracks, top_classes
from ssvad.evaluation.mask_to_boxes import MaskBoxes, to_source_pixels
from ssvad.evaluation.tubes import Tube, nms_tubes

from .streaming import MeanScores, StreamedBlock

# what decides on tubes; the rest of an evaluator's settings is about the truth
SETTINGS = (
    'class_score',
    'convention',
    'linker',
    'mask_to_box',
    'min_class_score',
    'topk_classes',
)


class _Numbered(NamedTuple):
    """Boxes, see MaskBoxes, and their numbers (N,) in the order in which they came."""

    frame: np.ndarray
    boxes: np.ndarray
    prob: np.ndarray
    number: np.ndarray


def tube_evaluator(
    configured: Mapping | Sequence[Mapping] | None, changes: Mapping
) -> FrameVideoMAP:
    """The evaluator of a config, to make tubes as it does.

    Args:
        configured: ``test_evaluator`` of a config; without a ``FrameVideoMAP`` the
            defaults of that count.
        changes: arguments of ``FrameVideoMAP``; dicts change single settings.

    Raises:
        ValueError: for a change that has no influence on tubes, or a wrong value.
    """
    unknown = sorted(set(changes) - set(SETTINGS))
    if unknown:
        raise ValueError(f'evaluator: expected some of {SETTINGS}, got {unknown}')
    if isinstance(configured, Mapping):
        configured = [configured]
    found = [e for e in configured or [] if _name(e['type']) == 'FrameVideoMAP']
    settings = {k: v for k, v in (found or [{}])[0].items() if k in SETTINGS}
    for name, value in changes.items():
        known = settings.get(name)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        settings[name] = {**known, **value} if both else value
    return FrameVideoMAP(**settings)


def _name(kind: str | type) -> str:
    return getattr(kind, '__name__', kind).rpartition('.')[2]


class TubeCollector:
    """Takes blocks of a video one by one and keeps what tubes are made of.

    Linking is greedy and looks back only, so boxes of a track that has ended too
    short can be forgotten: no other track would take another box if they had never
    been there. Kept are the boxes of ended tracks that are long enough and of those
    that may go on, besides the class scores of the clips.

    Args:
        evaluator: finds boxes, links and classifies them.
        patience: number of new boxes after which tracks are looked at again; the
            boxes in memory are at most twice those that have to be kept and this.
    """

    def __init__(self, evaluator: FrameVideoMAP, patience: int = 4096) -> None:
        self.evaluator = evaluator
        self.patience = patience
        self.mean = MeanScores()
        self.num_frames = 0
        self._scores: list[np.ndarray] = []
        self._ended: list[_Numbered] = []
        self._open: list[_Numbered] = []
        self._new: list[_Numbered] = []
        self._num_seen = 0
        defaults = signature(evaluator.link_members).parameters
        self._max_gap = defaults['max_gap'].default
        self._min_len = defaults['min_len'].default

    def add(self, block: StreamedBlock) -> None:
        """Take in the next frames."""
        found = self.evaluator.find_boxes(block.mask)
        boxes = to_source_pixels(
            found.boxes,
            block.mask.shape[1:],
            block.crop_quadruple,
            block.original_shape,
        )
        frame = block.frame_inds[found.frame].astype(np.int32)
        self.mean.update(block.clip_scores)
        if self.evaluator.class_score == 'clip':
            # interleaved: frame by frame another clip of the block
            clip = np.arange(len(block.frame_inds)) % len(block.clip_scores)
            self._scores.append(block.clip_scores[clip])
        self.num_frames = int(block.frame_inds[-1]) + 1
        self.add_boxes(MaskBoxes(frame, boxes, found.prob))

    def add_boxes(self, found: MaskBoxes) -> None:
        """Take in the boxes of further whole frames, up to ``num_frames``."""
        number = self._num_seen + np.arange(len(found.frame))
        self._new.append(_Numbered(*found, number))
        self._num_seen += len(number)
        if _count(self._new) >= max(self.patience, _count(self._open)):
            self._forget()

    @property
    def num_boxes(self) -> int:
        """Boxes in memory."""
        return _count([*self._ended, *self._open, *self._new])

    def boxes(self) -> MaskBoxes:
        """Those boxes that may be part of a tube, in the order in which they came."""
        self._forget()
        found = _concatenate([*self._ended, *self._open])
        # the order decides between equal scores
        return MaskBoxes(*_take(found, np.argsort(found.number))[:3])

    def tubes(self) -> list[Tube]:
        """Tubes of the video so far, best first, suppressed as when evaluated."""
        found, scores = self.boxes(), np.asarray(self.mean.mean)
        best = self.evaluator.topk_classes, self.evaluator.min_class_score
        if self.evaluator.class_score == 'clip':
            linked = self.evaluator.link_members(*found)
            per_frame = np.concatenate(self._scores)
            tubes = classify_tracks_by_clip(linked, found, 0, per_frame, *best)
        else:
            labels = top_classes(scores, *best)
            tubes = classify_tracks(self.evaluator.link(*found), 0, scores, labels)
        convention = self.evaluator.convention
        if convention.tube_nms is None:
            return sorted(tubes, key=lambda tube: -tube.score)
        labels = np.array([tube.label for tube in tubes], np.int64)
        return nms_tubes(tubes, convention.tube_nms, convention, labels)

    def _forget(self) -> None:
        found = _concatenate([*self._open, *self._new])
        # the true end of a track comes later or never: all lengths, nothing cut off
        whole = dict(min_len=1, min_score=None, min_end_score=None)
        linked = self.evaluator.link_members(*found[:3], **whole)
        ended, going_on = [np.zeros(0, int)], [np.zeros(0, int)]
        for members in linked:
            first, last = found.frame[members[[0, -1]]]
            if last >= self.num_frames - self._max_gap:
                going_on.append(members)
            elif last - first + 1 >= self._min_len:
                ended.append(members)
        # still in the order in which they came
        ended, going_on = (np.sort(np.concatenate(m)) for m in (ended, going_on))
        self._ended.append(_take(found, ended))
        self._open, self._new = [_take(found, going_on)], []


def _count(parts: Sequence[_Numbered]) -> int:
    return sum(len(part.frame) for part in parts)


def _concatenate(parts: Sequence[_Numbered]) -> _Numbered:
    if not parts:
        empty = MaskBoxes(np.zeros(0, np.int32), np.zeros((0, 4)), np.zeros(0))
        return _Numbered(*empty, np.zeros(0, int))
    return _Numbered(*map(np.concatenate, zip(*parts)))


def _take(found: _Numbered, index: np.ndarray) -> _Numbered:
    return _Numbered(*(values[index] for values in found))
