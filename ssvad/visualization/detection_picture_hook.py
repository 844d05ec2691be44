"""Pictures of detections beside the ground truth, while testing."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from ssvad.evaluation.mask_to_boxes import mask_to_boxes
from ssvad.geometry import crop_places
from ssvad.video_io import write_video

from . import draw


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
    """Write a film strip (PNG) and a video (mp4) for a few test videos.

    Left or above, in green, the ground truth; right or below, in red, the predicted
    mask, its boxes in white, class and score. Files go to
    ``<work_dir>/pictures/<video id>.{png,mp4}``.

    Args:
        num_videos: Videos to draw, spread evenly over the test set.
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
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence
    ) -> None:
        """Draw the videos of this batch that were chosen."""
        every = max(1, len(runner.test_dataloader) // self.num_videos)
        if batch_idx % every == 0 and batch_idx < every * self.num_videos:
            folder = osp.join(runner.work_dir, 'pictures')
            mkdir_or_exist(folder)
            classes = runner.test_dataloader.dataset.metainfo['classes']
            self._draw(data_batch['inputs'][0], outputs[0], classes, folder)

    def _draw(self, clips, sample, classes: Sequence[str], folder: str) -> None:
        inds, valid = np.asarray(sample.frame_inds), np.asarray(sample.frame_valid)
        clips = clips.cpu().numpy()
        if 'crop_quadruples' in sample:
            clips = join_crops(clips, sample.crop_quadruples, sample.crop_quadruple)
        frames = frames_of_clips(clips, inds, valid)
        truth = np.zeros(frames.shape[:3], bool)
        truth[inds[valid]] = sample.gt_mask.cpu().numpy()[valid] > 0
        actual = classes[int(sample.gt_label)] if 'gt_label' in sample else 'no action'
        label = int(sample.pred_label)
        texts = (
            f'truth: {actual}',
            f'found: {classes[label]} {float(sample.pred_score[label]):.2f}',
        )
        scale = max(1, -(-self.min_width // frames.shape[2]))
        pictures = draw_detection(
            frames, truth, sample.pred_mask.cpu().numpy(), texts, scale
        )
        path = osp.join(folder, sample.video_id.replace('/', '_'))
        # H.264 stores colour for 2 x 2 pixels, so sides must be even
        height, width = (size - size % 2 for size in pictures.shape[1:3])
        write_video(f'{path}.mp4', pictures[:, :height, :width], fps=12)
        chosen = np.linspace(0, len(frames) - 1, self.strip_length).round().astype(int)
        left, right = np.split(pictures[chosen], 2, axis=2)
        rows = [np.concatenate(list(side), axis=1) for side in (left, right)]
        draw.save_png(f'{path}.png', np.concatenate(rows))
