"""Clips and pictures of single errors, cut from the videos of an evaluation."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from report_evaluation import Evaluation, VideoFile
from ssvad.apis.masks import mask_in_source
from ssvad.apis.sources import find_sources
from ssvad.datasets.frame_reader import read_frames
from ssvad.datasets.unreadable import VideoReadError
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.tubes import Tube
from ssvad.video_io import write_video
from ssvad.visualization.report_clips import error_picture, side_by_side
from ssvad.visualization.report_errors import ErrorExample, error_examples
from ssvad.visualization.report_page import Gallery, Note, Picture, data_uri
from ssvad.visualization.report_videos import (
    clip_window,
    pick_videos,
    shown_tubes,
    video_overlaps,
)

# of a clip; ten seconds of a film, and a page that mail still takes
MAX_FRAMES = 250
FRAMES_AT_ONCE = 32
CRF = 26
NUM_ERRORS = 4
GROUPS = {
    'best': ('Best', 'Videos whose actors are covered best.'),
    'median': ('Middle', 'Videos in the middle of the ranking.'),
    'worst': ('Worst', 'Videos whose actors are covered worst.'),
}
ERRORS = {
    'localisation': 'Its frame shows the class, but the box is too far off.',
    'duplicate': 'The object is near, but a better detection has taken it.',
    'classification': 'An object is near, but of another class.',
    'timing': 'The video shows the class, but on other frames.',
    'other': 'None of these: mostly boxes where nothing is annotated.',
    'missed': 'No detection of its class overlaps the object enough, whatever its '
    'score; the videos with most such objects.',
}


class Videos:
    """Reads frames and says once of each video why it cannot be shown.

    Args:
        evaluation: knows the files.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.unreadable: dict[str, str] = {}

    def frames(self, video: int, numbers: range) -> Iterator[np.ndarray]:
        """Some frames of a video, (h, w, 3) uint8 RGB, few at a time in memory.

        Raises:
            VideoReadError: if the file is missing, damaged, or of another size than
                the annotation says.
        """
        path, width, height = self.file(video)
        for start in range(0, len(numbers), FRAMES_AT_ONCE):
            part = numbers[start : start + FRAMES_AT_ONCE]
            total = self.evaluation.num_frames[video]
            frames = read_frames(path, np.array(part), total)
            if width and frames.shape[1:3] != (height, width):
                raise VideoReadError(
                    f'{path}: is {frames.shape[2]} x {frames.shape[1]}, its boxes are '
                    f'annotated for {width} x {height}'
                )
            yield from frames

    def file(self, video: int) -> VideoFile:
        """Where a video lies.

        Raises:
            VideoReadError: if nobody knows.
        """
        name = self.evaluation.names[video]
        if name not in self.evaluation.files:
            raise VideoReadError(f'{name}: its file is not known')
        return self.evaluation.files[name]

    def rate(self, video: int) -> float:
        """Frames per second."""
        return find_sources(self.file(video).path)[0].fps

    def note(self) -> list:
        """What could not be shown."""
        if not self.unreadable:
            return []
        listed = '; '.join(list(self.unreadable.values())[:3])
        text = f'{len(self.unreadable)} videos could not be shown: {listed}'
        return [Note(text, 'missing')]


def clip_blocks(evaluation: Evaluation, num: int) -> list:
    """Best, middle and worst videos as clips, truth beside detections.

    Args:
        evaluation: with tubes.
        num: of clips of each kind.
    """
    whose = evaluation.truth, evaluation.convention
    shown = shown_tubes(*(whose[0], evaluation.tubes, len(evaluation.names), whose[1]))
    overlaps = video_overlaps(whose[0], shown, whose[1])
    ranked = np.count_nonzero(~np.isnan(overlaps))
    blocks: list = [
        Note(
            f'{ranked} of {len(overlaps)} videos have annotated tubes and are ranked: '
            'by the mean, over these tubes, of the best overlap in space and time '
            '(tube IoU) with a detected tube of the same class. Of tubes at one place '
            'only the class with the best score counts, as it is drawn. Left, in '
            'green, the truth; right, in colours, what was found, with class and '
            'score; what the network did not see is darker.'
        )
    ]
    videos = Videos(evaluation)
    for kind, picked in pick_videos(overlaps, num).items():
        clips = []
        for video in picked:
            try:
                clips.append(_clip(videos, video, shown[video], overlaps[video]))
            except (VideoReadError, ValueError) as error:
                videos.unreadable[evaluation.names[video]] = str(error)
        if clips:
            blocks.append(Gallery(*GROUPS[kind], clips, wide=True))
    return blocks + videos.note()


def _clip(videos: Videos, video: int, tubes: list[Tube], overlap: float) -> Picture:
    evaluation = videos.evaluation
    name, num_frames = evaluation.names[video], evaluation.num_frames[video]
    truth = [tube for tube in evaluation.truth if tube.video == video]
    window = clip_window(num_frames, truth, MAX_FRAMES)
    masks, seen = None, (0, 0, 1, 1)
    if name in evaluation.masks:
        bits, shape, seen, size = evaluation.masks[name]
        flat = np.frombuffer(zlib.decompress(bits), np.uint8)
        whole = np.unpackbits(flat, count=int(np.prod(shape))).reshape(shape) > 0
        masks = (mask_in_source(whole[frame], seen, size) for frame in window)
    pictures = side_by_side(
        *(videos.frames(video, window), truth, tubes, evaluation.classes),
        *(window.start, masks, seen),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'clip.mp4')
        write_video(path, pictures, videos.rate(video), CRF)
        uri = data_uri(path.read_bytes(), '.mp4')
    classes = dict.fromkeys(evaluation.classes[tube.label] for tube in truth)
    caption = [
        f'tube IoU {overlap:.2f}, truth: {", ".join(classes)}, '
        f'{len(truth)} annotated and {len(tubes)} shown tubes'
    ]
    if len(window) < num_frames:
        last = window.stop - 1
        caption.append(f'frames {window.start} to {last} of {num_frames}')
    text = f'{name}: the video twice, left with the truth, right with detections'
    return Picture(uri, text, caption, name)


def error_blocks(evaluation: Evaluation) -> list:
    """Examples of each kind of error.

    Args:
        evaluation: with boxes.
    """
    gt = boxes_of_tubes(evaluation.truth)
    found = error_examples(
        *(gt, evaluation.boxes, len(evaluation.classes), evaluation.error_thr),
        *(evaluation.convention, NUM_ERRORS),
    )
    blocks: list = [
        Note(
            f'Errors of boxes at IoU {evaluation.error_thr:.2f}, the most confident '
            'of different videos. Green: annotated boxes; red: the detection; dashed '
            'orange: an annotated box that was missed.'
        )
    ]
    videos = Videos(evaluation)
    for kind, examples in found.items():
        pictures = []
        for example in examples:
            here = (gt.video == example.video) & (gt.frame == example.frame)
            truth = gt.take(np.flatnonzero(here))
            try:
                pictures.append(_error(videos, example, truth))
            except VideoReadError as error:
                videos.unreadable[evaluation.names[example.video]] = str(error)
        title = kind.capitalize()
        if pictures:
            blocks.append(Gallery(title, ERRORS[kind], pictures))
        elif not examples:
            blocks.append(Note(f'{title}: no such error.'))
    return blocks + videos.note()


def _error(videos: Videos, example: ErrorExample, truth) -> Picture:
    evaluation = videos.evaluation
    (frame,) = videos.frames(example.video, range(example.frame, example.frame + 1))
    missed = example.score is None
    picture = error_picture(frame, truth.boxes, example.box, missed)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    _, data = cv2.imencode('.jpg', picture[..., ::-1], quality)
    name = evaluation.classes[example.label]
    shown = ', '.join(dict.fromkeys(evaluation.classes[i] for i in truth.label)) or '-'
    caption = [
        f'missed: {name}' if missed else f'found: {name}, score {example.score:.2f}',
        f'truth on this frame: {shown}',
        f'frame {example.frame}',
    ]
    video = evaluation.names[example.video]
    text = f'{video}, frame {example.frame}: {caption[0]}'
    return Picture(data_uri(data.tobytes(), '.jpg'), text, caption, video)
