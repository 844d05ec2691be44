"""What a test pipeline does to frames, without what it does for the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from mmaction.datasets.transforms import Resize

# they work on the annotation, which a user's video does not have
FOR_THE_TRUTH = ('AlignMask', 'DropLabels', 'TubesToMask')


def stream_settings(pipeline: Sequence[Mapping]) -> dict[str, Any]:
    """Take from a test pipeline what ``stream_video`` needs.

    Args:
        pipeline: configs of the transforms, as the evaluation has them: a sampler with
            ``clip_len`` and ``frame_interval``, decoding, transforms of frames,
            ``FormatShape``.

    Returns:
        ``clip_len``, ``frame_interval`` and ``transforms``, those between decoding and
        ``FormatShape``.

    Raises:
        ValueError: if the pipeline lacks one of these parts.
    """
    # a type may also be a class
    types = [getattr(t['type'], '__name__', t['type']) for t in pipeline]
    names = [str(name).rpartition('.')[2] for name in types]
    samplers = [t for t, name in zip(pipeline, names) if name == 'SampleWholeVideo']
    decoders = [i for i, name in enumerate(names) if 'Decode' in name]
    if not samplers or not decoders or 'FormatShape' not in names:
        raise ValueError(
            'expected a test pipeline with SampleWholeVideo, a Decode transform and '
            f'FormatShape, got {names}; give one as TubeInferencer(pipeline=...)'
        )
    between = range(decoders[-1] + 1, names.index('FormatShape'))
    sampler = samplers[0]
    return dict(
        clip_len=sampler.get('clip_len', 8),
        frame_interval=sampler.get('frame_interval', 2),
        transforms=[pipeline[i] for i in between if names[i] not in FOR_THE_TRUTH],
    )


def fit_whole_frame(short_side: int) -> Callable[[dict], dict]:
    """Make a transform that shows the whole frame at a scale of its own.

    Both sides become the nearest multiples of 8, which the detector needs, so the
    aspect changes by a few percent at most.

    Args:
        short_side: shorter side of what the network sees, in pixels, at least 8.

    Raises:
        ValueError: if it is smaller.
    """
    if short_side < 8:
        raise ValueError(f'short_side must be at least 8 pixels, got {short_side}')

    def transform(results: dict) -> dict:
        height, width = results['img_shape']
        scale = short_side / min(height, width)
        size = tuple(8 * max(1, round(side * scale / 8)) for side in (width, height))
        return Resize(scale=size, keep_ratio=False)(results)

    return transform
