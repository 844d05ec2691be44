"""Masks and class scores of a video of any length, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Callable, NamedTuple

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.model import BaseModel
from torch import Tensor

from ssvad.datasets.clip_sampling import whole_video_clips
from ssvad.datasets.frame_reader import iter_frames
from ssvad.geometry import WHOLE_FRAME, average_crops, crop_places


class StreamedBlock(NamedTuple):
    """What a detector says about n consecutive frames of a video.

    The last two fields are named as in evaluation, where ``to_source_pixels`` takes
    them to move boxes of the mask to the source frame.

    Attributes:
        frame_inds: (n,) int64, 0-based, without gaps within and between blocks.
        mask: (n, H, W) float32, foreground probability as the network saw the frame.
        clip_scores: (frame_interval, K) float32, class activations in [0, 1] of the
            clips that the block was cut into.
        original_shape: (h, w) of the source frame in pixels.
        crop_quadruple: (4,) float32, x, y, w, h of what the network saw as fractions
            of the source frame.
    """

    frame_inds: np.ndarray
    mask: np.ndarray
    clip_scores: np.ndarray
    original_shape: tuple[int, int]
    crop_quadruple: np.ndarray


class _Waiting(NamedTuple):
    """A block whose clips are on their way through the network."""

    start: int
    frame_inds: np.ndarray
    valid: np.ndarray
    original_shape: tuple[int, int]
    crop_quadruple: np.ndarray
    crops: np.ndarray


class MeanScores:
    """Running mean over the clips of a video: its class scores so far.

    Attributes:
        num_clips: Clips seen.
        mean: (K,) float64; 0 before the first clip.
    """

    def __init__(self) -> None:
        self.num_clips = 0
        self.mean: np.ndarray | float = 0.0

    def update(self, clip_scores: np.ndarray) -> np.ndarray:
        """Take in (n, K) scores of further clips and return the new mean."""
        self.num_clips += len(clip_scores)
        excess = np.asarray(clip_scores, np.float64) - self.mean
        self.mean = self.mean + excess.sum(0) / self.num_clips
        return self.mean


def stream_video(
    detector: BaseModel,
    video: str | os.PathLike | Iterable[np.ndarray],
    transforms: Sequence[dict | Callable] = (),
    clip_len: int = 8,
    frame_interval: int = 2,
    clips_per_forward: int = 8,
    name: str = 'video',
) -> Iterator[StreamedBlock]:
    """Run a detector over a video of any length, block by block.

    Clips are laid out as :class:`~ssvad.datasets.SampleWholeVideo` does for evaluation
    (blocks of ``T * frame_interval`` frames, the tail padded with the last frame), so
    masks and scores are those of ``MaskDetector.predict``. In memory are at most the
    frames of one block, the clips of one forward, and what was found in them.

    Put the loop inside ``torch.autocast`` for lower precision. A consumer that needs
    the frames too can keep them as they pass through the iterable it gives.

    Args:
        detector: Model in eval mode with a data preprocessor, whose ``'tensor'`` mode
            maps (B, C, T, H, W) to something with ``mask`` (B, T, H, W) logits and
            ``scores`` (B, K), e.g. ``MaskDetector`` or ``SemiDetector``.
        video: Path or address of a video, or frames (h, w, 3) uint8 RGB of one size:
            an array (F, h, w, 3), a generator, a camera.
        transforms: What the test pipeline does to the frames between decoding and
            ``FormatShape``, e.g. ``[dict(type='CenterCrop', crop_size=224)]``;
            nothing random. Several crops (``CoverCrops``) are put together as
            ``MaskDetector.predict`` does.
        clip_len: Frames of a clip, T.
        frame_interval: Distance between frames of a clip.
        clips_per_forward: Clips that the network gets at a time, also of several
            blocks; decides on memory and speed, not on what is found.
        name: What errors call the video if it is no path.

    Returns:
        Iterator over the blocks in order; it reads ahead of the block it gives by
        ``clips_per_forward`` clips at most.

    Raises:
        ValueError: If the detector is in train mode, a number is less than 1, there
            is no frame, frames differ in size, or a transform fails to give frames of
            the size it claims (a crop that does not fit).
        VideoReadError: As :func:`~ssvad.datasets.frame_reader.iter_frames`. Clips read
            before a damage that waited for their forward are lost with it.
    """
    numbers = dict(
        clip_len=clip_len,
        frame_interval=frame_interval,
        clips_per_forward=clips_per_forward,
    )
    for key, value in numbers.items():
        if value < 1:
            raise ValueError(f'{key} must be at least 1, got {value}')
    if detector.training:
        raise ValueError(
            f'{type(detector).__name__} is in train mode, where dropout and batch norm '
            'depend on chance and on the batch; call detector.eval() before'
        )
    if isinstance(video, (str, os.PathLike)):
        name = os.fspath(video)
        video = iter_frames(name, num_threads=0)
    transforms = [t if callable(t) else TRANSFORMS.build(t) for t in transforms]
    waiting = deque()
    clips = _cut(name, iter(video), transforms, clip_len, frame_interval, waiting)
    outputs = _detect(detector, clips, clips_per_forward)
    return _assemble(outputs, frame_interval, waiting)


def _cut(
    name: str,
    frames: Iterator[np.ndarray],
    transforms: Sequence[Callable],
    clip_len: int,
    frame_interval: int,
    waiting: deque[_Waiting],
) -> Iterator[Tensor]:
    """Yield clips (C, T, H, W) uint8 and append their blocks to ``waiting``."""
    start, shape = 0, None
    while block := list(islice(frames, clip_len * frame_interval)):
        shape = shape or np.shape(block[0])
        _check_frames(name, block, start, shape)
        results = _transform(name, block, transforms)
        inds, valid = whole_video_clips(len(block), clip_len, frame_interval)
        crop, crops = results['crop_quadruple'], results['crop_quadruples']
        waiting.append(_Waiting(start, inds, valid, shape[:2], crop, crops))
        start += len(block)
        images = np.stack(results['imgs'])
        images = images.reshape(len(crops), len(block), *images.shape[1:])[:, inds]
        clips = images.reshape(-1, clip_len, *images.shape[2:])
        yield from torch.from_numpy(clips).movedim(-1, 1)
    if not start:
        raise ValueError(f'{name}: expected at least one frame, got none')


def _check_frames(
    name: str, frames: list[np.ndarray], start: int, shape: tuple[int, ...]
) -> None:
    for index, frame in enumerate(frames, start):
        fits = len(shape) == 3 and shape[2] == 3 and np.shape(frame) == shape
        if not fits or np.asarray(frame).dtype != np.uint8:
            raise ValueError(
                f'{name}: expected frames (h, w, 3) uint8, all of one size; frame '
                f'{index} is {np.shape(frame)} {np.asarray(frame).dtype}, frame 0 is '
                f'{shape}'
            )


def _transform(name: str, frames: list[np.ndarray], transforms: Sequence) -> dict:
    shape = frames[0].shape[:2]
    results = dict(
        imgs=frames,
        img_shape=shape,
        original_shape=shape,
        modality='RGB',
        crop_quadruple=np.array(WHOLE_FRAME, np.float32),
    )
    for transform in transforms:
        results = transform(results)
    whole = results['crop_quadruple'] = np.asarray(results['crop_quadruple'], 'f4')
    crops = results.setdefault('crop_quadruples', whole[None])
    # MMAction's crops record the size they were asked for even if the frame is smaller
    claimed = tuple(results['img_shape'])
    found = sorted({image.shape[:2] for image in results['imgs']})
    covered = [crop_places(size, crops, whole)[0] for size in found]
    if covered != [claimed] or len(results['imgs']) != len(crops) * len(frames):
        raise ValueError(
            f'{name}: transforms made {len(results["imgs"])} frames of {found} from '
            f'{len(frames)} of {shape}, expected {len(crops)} x as many and together '
            f'{claimed} (height, width); if the crop does not fit, put a Resize before '
            'it, or give TubeInferencer a short_side'
        )
    return results


def _detect(
    detector: BaseModel, clips: Iterator[Tensor], clips_per_forward: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield probability (T, H, W) and scores (K,) of each clip."""
    while batch := list(islice(clips, clips_per_forward)):
        yield from _forward(detector, torch.stack(batch))


@torch.inference_mode()
def _forward(
    detector: BaseModel, clips: Tensor
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    data = detector.data_preprocessor(dict(inputs=[clips], data_samples=[None]))
    output = detector(data['inputs'][0], mode='tensor')
    prob = output.mask.sigmoid().float().cpu().numpy()
    return zip(prob, output.scores.float().cpu().numpy())


def _assemble(
    outputs: Iterator[tuple[np.ndarray, np.ndarray]],
    frame_interval: int,
    waiting: deque[_Waiting],
) -> Iterator[StreamedBlock]:
    """Put the clips of each block back in frame order, and its crops together."""
    for first in outputs:
        block = waiting.popleft()
        num_crops = len(block.crops)
        rest = islice(outputs, num_crops * frame_interval - 1)
        parts, scores = map(np.stack, zip(first, *rest))
        parts = parts.reshape(num_crops, -1, *parts.shape[2:])
        prob = parts[0]
        if num_crops > 1:
            places = block.crops, block.crop_quadruple
            prob = average_crops(torch.from_numpy(parts), *places).numpy()
        mask = np.empty((block.valid.sum(), *prob.shape[1:]), np.float32)
        mask[block.frame_inds[block.valid]] = prob[block.valid]
        yield StreamedBlock(
            block.start + np.arange(len(mask)),
            mask,
            scores.reshape(num_crops, frame_interval, -1).mean(0),
            block.original_shape,
            block.crop_quadruple,
        )
