"""The registered J&F metric of video object segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.logging import print_log

from .jaccard_boundary import boundary_accuracy, region_similarity
from .record_metric import RecordMetric
from .sample_fields import field

MODES = ('objects', 'foreground')
FRAMES = ('all', 'inner')


@METRICS.register_module()
class VOSMetric(RecordMetric):
    """Region similarity J and boundary accuracy F of masks, in percent.

    One data sample is one whole video, a dict with `video_id` and, in mode 'objects',

    - `pred_masks` and `gt_masks`: (N, F, H, W), one per object; a prediction is
      foreground from 0.5 on;
    - `scored_frames` (optional): (N, F) bool, the frames that count. YouTube-VOS counts
      the annotated frames after the one in which the object is given;
    - `object_labels`, with ``seen_classes``: (N,) int, index of the object's category.

    In mode 'foreground' all actors of a video together are its one object, because a
    network with one mask tells no more. The fields are those of `FrameVideoMAP`:
    `pred_mask` (F, H, W) in frame order, `gt_mask` (M*T, H, W), `frame_inds` and
    `frame_valid` (M*T,) in clip order, and `gt_label` with ``seen_classes``. The keys
    begin with `fg_` then: such numbers do not belong beside those of a benchmark.

    Returns `J`, `F`, `J&F` (DAVIS) and with ``seen_classes`` also `J_seen`, `J_unseen`,
    `F_seen`, `F_unseen` and their mean `Overall` (YouTube-VOS): the mean over the
    frames of an object, then over the objects. Where prediction and ground truth are
    both empty J and F are 100. Objects without a frame that counts are left out, and
    so are the keys of a group without an object; `Overall` is the mean of the others.

    Args:
        mode: 'objects' or 'foreground'.
        frames: 'all', or 'inner' without the first and the last frame of a video
            (semi-supervised DAVIS).
        seen_classes: names of the categories seen in training, of the dataset's
            `classes`; None does not tell seen from unseen.
        collect_device: see `BaseMetric`.
        collect_dir: see `BaseMetric`.
        prefix: see `BaseMetric`.

    Raises:
        ValueError: for an unknown mode or choice of frames.
    """

    default_prefix = 'vos'

    def __init__(
        self,
        mode: str = 'objects',
        frames: str = 'all',
        seen_classes: Sequence[str] | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        if mode not in MODES or frames not in FRAMES:
            raise ValueError(
                f'expected mode in {MODES} and frames in {FRAMES}, got {mode!r} and '
                f'{frames!r}'
            )
        self.mode = mode
        self.frames = frames
        self.seen_classes = seen_classes

    def reduce(self, sample: Mapping) -> dict:
        """Turn a whole video's sample into its record of plain NumPy values.

        Returns:
            `video_id`, and for its N objects `J` and `F` (N,) float64 in [0, 1], means
            over the frames that count, `num_frames` (N,) int, how many those are, and
            `labels` (N,) int, -1 where ``seen_classes`` is None.

        Raises:
            KeyError: if a field is missing.
            ValueError: if fields do not fit each other.
        """
        video = str(field(sample, 'video_id'))
        names = dict(objects='object_labels', foreground='gt_label')
        if self.mode == 'objects':
            pred, gt = field(sample, 'pred_masks'), field(sample, 'gt_masks')
        else:
            pred, gt = foreground_masks(sample)
        if pred.ndim != 4 or pred.shape != gt.shape:
            raise ValueError(
                f"video '{video}': expected masks of predictions and ground truth of "
                f'one shape (N, F, H, W), got {pred.shape} and {gt.shape}'
            )
        counts = np.ones(gt.shape[:2], bool)
        if self.mode == 'objects' and 'scored_frames' in sample:
            counts = field(sample, 'scored_frames').astype(bool)
        labels = np.full(len(gt), -1)
        if self.seen_classes is not None:
            labels = field(sample, names[self.mode]).reshape(-1).astype(np.int64)
        if counts.shape != gt.shape[:2] or labels.shape != gt.shape[:1]:
            raise ValueError(
                f"video '{video}': expected scored_frames {gt.shape[:2]} and a label "
                f'for each of the {len(gt)} objects, got {counts.shape} and '
                f'{labels.shape}'
            )
        if self.frames == 'inner':
            counts[:, [0, -1]] = False
        means = np.array([mean_j_f(*each) for each in zip(pred, gt, counts)])
        j, f = means.reshape(-1, 2).T
        return dict(
            video_id=video, J=j, F=f, num_frames=counts.sum(axis=1), labels=labels
        )

    def compute_metrics(self, results: list) -> dict:
        """Compute all metrics from the records of all ranks.

        Args:
            results: records of `reduce`; samplers may have repeated a video.

        Returns:
            Key -> float in percent, never NaN: all are 0 without any object.
        """
        # sorted by name, so that no rounding depends on which rank saw a video
        by_name = {record['video_id']: record for record in results}
        records = [by_name[name] for name in sorted(by_name)]
        j, f, num_frames, labels = (
            np.concatenate([np.zeros(0), *(record[key] for record in records)])
            for key in ('J', 'F', 'num_frames', 'labels')
        )
        scored = num_frames > 0
        lead = 'fg_' if self.mode == 'foreground' else ''
        metrics = {
            'J': _percent(j[scored]),
            'F': _percent(f[scored]),
            'J&F': _percent((j[scored] + f[scored]) / 2),
        }
        groups = {}
        if self.seen_classes is not None:
            seen = np.isin(labels, self._seen_labels())
            groups = dict(seen=scored & seen, unseen=scored & ~seen)
            parts = {
                f'{key}_{group}': _percent(values[chosen])
                for key, values in dict(J=j, F=f).items()
                for group, chosen in groups.items()
                if chosen.any()
            }
            metrics.update(parts)
            metrics['Overall'] = float(np.mean(list(parts.values()) or [0.0]))
        objects = {name: int(chosen.sum()) for name, chosen in groups.items()}
        print_log(
            f'J&F ({self.mode}, {self.frames} frames): {len(records)} videos, '
            f'{int(scored.sum())} objects {objects or ""}, {int(num_frames.sum())} '
            f'frames; {int((~scored).sum())} objects without a frame left out',
            logger='current',
        )
        return {f'{lead}{key}': value for key, value in metrics.items()}

    def _seen_labels(self) -> list[int]:
        classes = list((self.dataset_meta or {}).get('classes', ()))
        unknown = sorted(set(self.seen_classes) - set(classes))
        if unknown:
            raise ValueError(
                f'seen_classes {unknown} are none of the classes of the dataset: '
                f'{classes}'
            )
        return [classes.index(name) for name in self.seen_classes]


def mean_j_f(
    pred: np.ndarray, gt: np.ndarray, counts: np.ndarray
) -> tuple[float, float]:
    """Mean J and F of one object over the frames that count.

    Args:
        pred: (F, H, W) foreground probability, or {0, 1}.
        gt: (F, H, W), above 0 where the object is.
        counts: (F,) bool.

    Returns:
        Both in [0, 1]; 0 if no frame counts.
    """
    pairs = [(pred[frame] >= 0.5, gt[frame] > 0) for frame in np.flatnonzero(counts)]
    if not pairs:
        return 0.0, 0.0
    return (
        float(np.mean([region_similarity(*pair) for pair in pairs])),
        float(np.mean([boundary_accuracy(*pair) for pair in pairs])),
    )


def foreground_masks(sample: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth of a video's foreground, as one object in frame order.

    Args:
        sample: see `VOSMetric`, mode 'foreground'.

    Returns:
        (1, F, H, W) probability and (1, F, H, W) bool.

    Raises:
        ValueError: if the shapes disagree or the clips miss a frame.
    """
    pred, clips = field(sample, 'pred_mask'), field(sample, 'gt_mask')
    inds, valid = field(sample, 'frame_inds'), field(sample, 'frame_valid').astype(bool)
    if (
        clips.shape[1:] != pred.shape[1:]
        or not len(clips) == len(inds) == len(valid)
        or not np.array_equal(np.unique(inds[valid]), np.arange(len(pred)))
    ):
        raise ValueError(
            f"video '{sample.get('video_id')}': expected gt_mask, frame_inds and "
            f'frame_valid of one length, in which each frame of pred_mask {pred.shape} '
            f'is valid once, got {clips.shape}, {inds.shape} and {valid.shape} with '
            f'{len(np.unique(inds[valid]))} frames'
        )
    gt = np.zeros(pred.shape, bool)
    gt[inds[valid]] = clips[valid] > 0
    return pred[None], gt[None]


def _percent(values: np.ndarray) -> float:
    return 100 * float(values.mean()) if len(values) else 0.0
