"""Find boxes in a video with a detector that tools/export.py wrote.

    python run_onnx.py model.onnx my_video.mp4 --out-dir results

Needs this file and ``pip install onnxruntime numpy av``, nothing else. It writes
results/my_video.json: for each frame boxes [x1, y1, x2, y2] in pixels of the video,
right and bottom exclusive, with the mean probability inside, and for the video the mean
score of each class; and results/my_video.png, a row of frames with masks and boxes.

Frames become what the network was trained on by the transforms that the file names:
Resize to a fixed size and CenterCrop are known here. --whole-frame shows it the whole
frame instead, stretched to its input; for videos of another size than those of the
training. The boxes of a frame are those around the connected parts of its mask, without
links from frame to frame.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import onnxruntime

MIN_AREA, MIN_SHARE = 25, 0.05  # of parts, in pixels and of the frame's largest
PICTURES = 8
FREE_BATCH = 4


def read_frames(video: str) -> Iterator[np.ndarray]:
    """Yield (h, w, 3) uint8 RGB frames."""
    with av.open(video) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format='rgb24')


def read_blocks(frames: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Yield lists of ``size`` frames; the last one may be shorter."""
    block = []
    for frame in frames:
        block.append(frame)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale (h, w, 3) uint8, bilinear."""
    image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
    image = image.reformat(width=width, height=height, interpolation='BILINEAR')
    return image.to_ndarray(format='rgb24')


def centre(length: int, part: int) -> int:
    """Where a part in the middle begins."""
    return (length - part) // 2


class Frames:
    """From frames of a video to the network's input, and boxes back.

    Args:
        transforms: As the model names them.
        height: Of the network's input.
        width: Of the network's input.
        whole: Stretch the whole frame instead.

    Raises:
        SystemExit: If a transform is not known here.
    """

    def __init__(self, transforms: list[dict], height: int, width: int, whole: bool):
        self.size = height, width
        self.resized = self.size if whole else None
        for transform in [] if whole else transforms:
            kind, scale = transform['type'], transform.get('scale', (-1, -1))
            fixed = not transform.get('keep_ratio', True) and min(scale) > 0
            if kind == 'Resize' and fixed:
                self.resized = scale[1], scale[0]
            elif kind != 'CenterCrop':
                raise SystemExit(
                    f'the model was trained with {transform}, which this script does '
                    'not know: try --whole-frame'
                )

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Map (h, w, 3) to what the network sees."""
        if self.resized is not None:
            frame = resize(frame, *self.resized)
        top, left = map(centre, frame.shape[:2], self.size)
        if min(top, left) < 0:
            raise SystemExit(
                f'frames of {frame.shape[1]} x {frame.shape[0]} are smaller than the '
                f'{self.size[1]} x {self.size[0]} of the network: use --whole-frame'
            )
        return frame[top : top + self.size[0], left : left + self.size[1]]

    def to_source(self, boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Map boxes in mask pixels to pixels of a frame of ``shape`` (h, w)."""
        seen = self.resized or tuple(shape[:2])
        top, left = map(centre, seen, self.size)
        factor = np.array([shape[1] / seen[1], shape[0] / seen[0]] * 2)
        return (boxes + [left, top, left, top]) * factor


def find_parts(mask: np.ndarray) -> np.ndarray:
    """Number the 8-connected parts of an (H, W) bool mask from 1; 0 is background."""
    height, width = mask.shape
    # the numbers spread until every pixel has the largest of its part
    numbers = np.where(mask, np.arange(1, height * width + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(numbers, 1)
        rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
        spread = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
        # a pixel follows the number that it has, which may have gone further
        spread = np.where(mask, np.append(0, spread.ravel())[spread], 0)
        if (spread == numbers).all():
            return numbers
        numbers = spread


def find_boxes(prob: np.ndarray, thr: float) -> list[tuple[np.ndarray, float]]:
    """Boxes in mask pixels around the parts of an (H, W) map, and mean probabilities.

    Parts that are small, by themselves or against the largest of the frame, are noise.
    """
    numbers = find_parts(prob >= thr)
    names, areas = np.unique(numbers[numbers > 0], return_counts=True)
    least = max(MIN_AREA, MIN_SHARE * areas.max()) if len(areas) else 0
    found = []
    for name in names[areas >= least]:
        inside = numbers == name
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        found.append((np.array(box, float), float(prob[inside].mean())))
    return found


class Network:
    """The file and what it says about itself."""

    def __init__(self, path: str):
        self.session = onnxruntime.InferenceSession(
            path, providers=onnxruntime.get_available_providers()
        )
        meta = self.session.get_modelmeta().custom_metadata_map
        try:
            self.classes = json.loads(meta['classes'])
            self.interval = json.loads(meta['frame_interval'])
            self.transforms = json.loads(meta['transforms'])
        except KeyError as error:
            raise SystemExit(
                f'{path} does not tell its {error}: was it written by tools/export.py?'
            ) from None
        batch, _, self.length, *self.size = self.session.get_inputs()[0].shape
        # a name stands for any number
        self.batch = batch if isinstance(batch, int) else FREE_BATCH

    def __call__(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map (N, T, H, W, 3) uint8 to probabilities (N, T, H, W), scores (N, K)."""
        masks, scores = [], []
        for start in range(0, len(clips), self.batch):
            # the last clip again where clips are missing
            index = np.arange(start, start + self.batch).clip(max=len(clips) - 1)
            part = clips[index].transpose(0, 4, 1, 2, 3).astype(np.float32) / 255
            logits, score = self.session.run(['mask', 'scores'], {'clips': part})
            masks.append(1 / (1 + np.exp(-logits)))
            scores.append(score)
        count = len(clips)
        return np.concatenate(masks)[:count], np.concatenate(scores)[:count]

    def probabilities(self, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Foreground (F, H, W) of up to T * interval frames, scores (interval, K).

        The frames become ``interval`` clips, each of every ``interval``-th frame; the
        last frame stands in for those that are missing.
        """
        size = self.length * self.interval
        block = np.stack(frames)[np.arange(size).clip(max=len(frames) - 1)]
        clips = block.reshape(self.length, self.interval, *block.shape[1:])
        masks, scores = self(clips.swapaxes(0, 1))
        return masks.swapaxes(0, 1).reshape(size, *self.size)[: len(frames)], scores


def draw(frame: np.ndarray, mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Copy of a frame with its mask in green and boxes in red."""
    picture = frame.copy()
    picture[mask] = picture[mask] // 2 + np.array([0, 127, 0], np.uint8)
    height, width = frame.shape[:2]
    for box in boxes:
        x1, y1, x2, y2 = box.round().astype(int).clip(0, [width, height] * 2)
        for edge in (
            np.s_[y1:y2, x1 : x1 + 2],
            np.s_[y1:y2, max(0, x2 - 2) : x2],
            np.s_[y1 : y1 + 2, x1:x2],
            np.s_[max(0, y2 - 2) : y2, x1:x2],
        ):
            picture[edge] = 255, 40, 40
    return picture


def mask_on_frame(mask: np.ndarray, frames: Frames, shape: Sequence[int]) -> np.ndarray:
    """Bool mask in pixels of a frame of ``shape`` (h, w); nearest pixel."""
    corners = np.array([[0, 0, *mask.shape[::-1]]], float)
    x1, y1, x2, y2 = frames.to_source(corners, shape)[0]
    rows = np.floor((np.arange(shape[0]) + 0.5 - y1) / (y2 - y1) * mask.shape[0])
    columns = np.floor((np.arange(shape[1]) + 0.5 - x1) / (x2 - x1) * mask.shape[1])
    inside = [(i >= 0) & (i < n) for i, n in zip((rows, columns), mask.shape)]
    out = np.zeros(shape[:2], bool)
    out[np.ix_(*inside)] = mask[
        np.ix_(rows[inside[0]].astype(int), columns[inside[1]].astype(int))
    ]
    return out


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write (h, w, 3) uint8."""
    with av.open(str(path), 'w', format='image2', options={'update': '1'}) as container:
        stream = container.add_stream('png')
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = 'rgb24'
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), 'rgb24')
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def run(
    network: Network, frames: Frames, video: str, thr: float
) -> tuple[dict, list[np.ndarray]]:
    """Boxes and scores of a video, and at most ``PICTURES`` pictures of it."""
    found, scores, pictures, step = [], [], [], 1
    size = network.length * network.interval
    for block in read_blocks(read_frames(video), size):
        probs, part = network.probabilities([frames(frame) for frame in block])
        scores.append(part)
        for frame, prob in zip(block, probs):
            parts = find_boxes(prob, thr)
            boxes = [frames.to_source(box, frame.shape) for box, _ in parts]
            found.append(
                dict(
                    frame=len(found),
                    boxes=[box.round(2).tolist() for box in boxes],
                    probs=[round(value, 4) for _, value in parts],
                )
            )
            if found[-1]['frame'] % step == 0:
                mask = mask_on_frame(prob >= thr, frames, frame.shape)
                pictures.append(draw(frame, mask, boxes))
            # of a row that is full, every other one
            if len(pictures) > PICTURES:
                pictures, step = pictures[::2], 2 * step
    if not found:
        raise SystemExit(f'{video}: no frames')
    mean = np.concatenate(scores).mean(0)
    names = network.classes or [str(k) for k in range(len(mean))]
    best = mean.argsort()[::-1]
    result = dict(
        video=Path(video).name,
        num_frames=len(found),
        scores={names[k]: round(float(mean[k]), 4) for k in best},
        frames=found,
    )
    return result, pictures


def main(argv: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description='Find boxes in a video with ONNX.')
    parser.add_argument('model', help='file of tools/export.py')
    parser.add_argument('video', help='a file that FFmpeg opens')
    parser.add_argument('--out-dir', type=Path, default=Path())
    parser.add_argument('--thr', type=float, default=0.5, help='foreground (0.5)')
    parser.add_argument('--whole-frame', action='store_true', help='stretch, not crop')
    args = parser.parse_args(argv)
    network = Network(args.model)
    frames = Frames(network.transforms, *network.size, args.whole_frame)
    result, pictures = run(network, frames, args.video, args.thr)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    name = Path(args.video).stem
    file = args.out_dir / f'{name}.json'
    file.write_text(json.dumps(result))
    write_png(args.out_dir / f'{name}.png', np.concatenate(pictures, axis=1))
    best, score = next(iter(result['scores'].items()))
    boxes = sum(len(frame['boxes']) for frame in result['frames'])
    print(
        f'{result["video"]}: {result["num_frames"]} frames, {boxes} boxes, '
        f'{best} {score:.3f} -> {file}'
    )


if __name__ == '__main__':
    main()
