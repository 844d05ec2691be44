"""Pictures of detections beside the ground truth."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence

import numpy as np
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ssvad.evaluation.mask_to_boxes import mask_to_boxes
from ssvad.geometry import crop_places
from ssvad.video_io import write_video

from . import draw
from .keep_picture import keep_picture


def frames_of_clips(
    clips: np.ndarray, frame_inds: np.ndarray, frame_valid: np.ndarray
) -> np.ndarray:
    """Put the clips of a video, (M, C, T, H, W), back in frame order, (F, H, W, C)."""
    frames = clips.transpose(0, 2, 3, 4, 1).reshape(-1, *clips.shape[-2:], 3)
    order = np.argsort(frame_inds[frame_valid], kind='stable')
    return frames[frame_valid][order]


def join_crops(clips: np.ndarray, crops: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Put V crops of M clips, (V*M, C, T, H, W), together: (M, C, T, H', W').

    Args:
        clips: Crop after crop.
        crops: (V, 4), see ``ssvad.geometry.crop_places``.
        whole: (4,) of the frame that they cover.
    """
    size, places = crop_places(clips.shape[-2:], crops, whole)
    parts = clips.reshape(len(crops), -1, *clips.shape[1:])
    joined = np.zeros((*parts.shape[1:-2], *size), clips.dtype)
    for part, (rows, columns) in zip(parts, places):
        joined[..., rows, columns] = part
    return joined


def draw_detection(
    frames: np.ndarray,
    truth: np.ndarray,
    prob: np.ndarray,
    labels: tuple[str, str],
    scale: int,
) -> np.ndarray:
    """Draw ground truth (left, green) beside prediction (right, red).

    Args:
        frames: (F, H, W, 3) uint8 RGB as the network saw them.
        truth: (F, H, W) bool.
        prob: (F, H, W) foreground probability.
        labels: Captions of the two sides.
        scale: Factor by which the frames are enlarged.

    Returns:
        (F, h, w, 3) uint8.
    """
    found = mask_to_boxes(prob)
    pictures = []
    for f, frame in enumerate(frames):
        frame = draw.enlarge(frame, scale)
        sides = []
        for mask, colour in ((truth[f], draw.GREEN), (prob[f] >= 0.5, draw.RED)):
            mask = draw.enlarge(mask, scale)
            sides.append(draw.overlay_mask(frame, mask, colour))
        for box in found.boxes[found.frame == f]:
            sides[1] = draw.draw_box(sides[1], box * scale, draw.WHITE)
        sides = [draw.caption(s, text) for s, text in zip(sides, labels)]
        pictures.append(np.concatenate(sides, axis=1))
    return np.stack(pictures)


@HOOKS.register_module()
class DetectionPictureHook(Hook):
    """Draw what is detected in a few videos, in training and while testing.

    Above, in green, the ground truth; below, in red, the predicted mask, its boxes in
    white, class and score: a film strip for each validation,
    ``<work_dir>/pictures/epoch_<n>_<video id>.png``, and for a test
    ``<work_dir>/pictures/<video id>.png`` with a video, ``.mp4``, of all frames, where
    the two are side by side. TensorBoard and the like show ``detections/<video id>``.

    Args:
        num_videos: Videos to draw, spread evenly over the set.
        strip_length: Frames in the film strip.
        min_width: Frames narrower than this are enlarged by a whole factor.
    """

    def __init__(
        self, num_videos: int = 6, strip_length: int = 8, min_width: int = 160
    ):
        self.num_videos = num_videos
        self.strip_length = strip_length
        self.min_width = min_width

    @master_only
    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence
    ) -> None:
        """Draw the strip of the video of this batch if it was chosen."""
        loader = runner.val_dataloader
        if self._chosen(batch_idx, len(loader)):
            parts = self._parts(data_batch['inputs'][0], outputs[0])
            indices = self._spread(len(parts[0]))
            parts = [part[indices] for part in parts]
            pictures = self._draw(parts, outputs[0], loader.dataset.metainfo)
            self._keep_strip(runner, pictures, outputs[0], runner.epoch)

    @master_only
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence
    ) -> None:
        """Draw the strip and the video of this batch if it was chosen."""
        loader = runner.test_dataloader
        if self._chosen(batch_idx, len(loader)):
            parts = self._parts(data_batch['inputs'][0], outputs[0])
            pictures = self._draw(parts, outputs[0], loader.dataset.metainfo)
            strip = pictures[self._spread(len(pictures))]
            self._keep_strip(runner, strip, outputs[0])
            # H.264 stores colour for 2 x 2 pixels, so sides must be even
            height, width = (size - size % 2 for size in pictures.shape[1:3])
            path = osp.join(runner.work_dir, 'pictures', file_name(outputs[0]))
            write_video(f'{path}.mp4', pictures[:, :height, :width], fps=12)

    def _chosen(self, index: int, total: int) -> bool:
        every = max(1, total // self.num_videos)
        return index % every == 0 and index < every * self.num_videos

    def _spread(self, total: int) -> np.ndarray:
        return np.linspace(0, total - 1, self.strip_length).round().astype(int)

    def _parts(self, clips: Tensor, sample: ActionDataSample) -> list[np.ndarray]:
        """Frames, true and predicted masks, each (F, H, W, ...), of a whole video."""
        inds, valid = np.asarray(sample.frame_inds), np.asarray(sample.frame_valid)
        clips = clips.cpu().numpy()
        if 'crop_quadruples' in sample:
            clips = join_crops(clips, sample.crop_quadruples, sample.crop_quadruple)
        frames = frames_of_clips(clips, inds, valid)
        truth = np.zeros(frames.shape[:3], bool)
        truth[inds[valid]] = sample.gt_mask.cpu().numpy()[valid] > 0
        return [frames, truth, sample.pred_mask.cpu().numpy()]

    def _draw(
        self, parts: Sequence[np.ndarray], sample: ActionDataSample, metainfo: dict
    ) -> np.ndarray:
        classes = metainfo['classes']
        actual = classes[int(sample.gt_label)] if 'gt_label' in sample else 'no action'
        label = int(sample.pred_label)
        texts = (
            f'truth: {actual}',
            f'found: {classes[label]} {float(sample.pred_score[label]):.2f}',
        )
        scale = max(1, -(-self.min_width // parts[0].shape[2]))
        return draw_detection(*parts, texts, scale)

    # without epoch in a test: runner.epoch would build the training
    def _keep_strip(
        self,
        runner: Runner,
        pictures: np.ndarray,
        sample: ActionDataSample,
        epoch: int = 0,
    ) -> None:
        left, right = np.split(pictures, 2, axis=2)
        rows = [np.concatenate(list(side), axis=1) for side in (left, right)]
        name = file_name(sample)
        file = f'epoch_{epoch}_{name}' if epoch else name
        keep_picture(runner, file, np.concatenate(rows), f'detections/{name}', epoch)


def file_name(sample: ActionDataSample) -> str:
    """The id of a video without slashes."""
    return sample.video_id.replace('/', '_')
