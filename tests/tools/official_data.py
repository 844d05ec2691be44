"""UCF101-24 and JHMDB-21 as one downloads them, with few and short videos.

Names, folders, files and frame sizes are those of the data sets. A video is a bright
block that wanders over noise; those of one data set are copies of two.
"""

import shutil
from pathlib import Path

import numpy as np
from scipy.io import savemat

from ssvad.video_io import write_video
from tests.tools import foreign_formats as formats

FRAMES, HEIGHT, WIDTH = 16, 240, 320
SIDE = 80  # of the block
# label among the 24 sorted classes: training videos, test videos
UCF24 = {'Basketball': (0, 20, 1), 'Biking': (2, 5, 1)}
JHMDB21 = """
brush_hair catch clap climb_stairs golf jump kick_ball pick pour pullup push run
shoot_ball shoot_bow shoot_gun sit stand swing_baseball throw walk wave
""".split()


def corners(number: int) -> np.ndarray:
    """Left upper corner (F, 2) of the block in one of the two videos."""
    steps = np.arange(FRAMES)[:, None] * np.array([8, 2])
    return steps + 30 if number % 2 == 0 else [200, 140] - steps


def write_pair(folder: Path) -> list[Path]:
    """Write the two videos that all others are copies of."""
    paths = []
    for number in range(2):
        frames = np.random.default_rng(number).integers(0, 90, (HEIGHT, WIDTH, 3))
        frames = np.tile(frames.astype(np.uint8), (FRAMES, 1, 1, 1))
        for frame, (x, y) in zip(frames, corners(number)):
            frame[y : y + SIDE, x : x + SIDE] = 200
        paths.append(folder / f'{number}.mp4')
        write_video(paths[-1], frames, crf=30)
    return paths


def copy_video(pair: list[Path], number: int, path: Path) -> None:
    """Write video ``number`` of a data set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(pair[number % 2], path)


def make_ucf24(root: Path, pair: list[Path]) -> dict:
    """Write ``data/ucf24/videos``, the annotation and the test list below ``root``.

    Returns:
        The annotation, as ``foreign_formats`` takes it.
    """
    annotation, tests = {}, []
    for name, (label, train, test) in UCF24.items():
        for number in range(train + test):
            # the official test list has the groups 1 to 7
            group = 8 + number if number < train else number - train + 1
            video = f'{name}/v_{name}_g{group:02}_c01'
            boxes = [[x + 1, y + 1, SIDE - 1, SIDE - 1] for x, y in corners(number)]
            annotation[video] = FRAMES, [(label, 0, boxes)]
            tests += [f'{video}.avi'] * (number >= train)
            copy_video(pair, number, root / f'data/ucf24/videos/{video}.avi')
    formats.write_pyannot(root / 'pyannot.pkl', annotation)
    (root / 'testlist01.txt').write_text('\n'.join(tests) + '\n')
    return annotation


def make_jhmdb21(root: Path, pair: list[Path]) -> None:
    """Write ``puppet_mask``, ``splits`` and ``ReCompress_Videos`` of ``root``."""
    for name in JHMDB21:
        lines = []
        # a class that is large enough for a tenth of it, the first video tested
        for number in range(11 if name == 'golf' else 1):
            video = f'{name}_{number}'
            copy_video(pair, number, root / f'ReCompress_Videos/{name}/{video}.avi')
            masks = np.zeros((HEIGHT, WIDTH, FRAMES), np.uint8)
            for frame, (x, y) in enumerate(corners(number)):
                masks[y : y + SIDE, x : x + SIDE, frame] = 1
            path = root / f'puppet_mask/{name}/{video}/puppet_mask.mat'
            path.parent.mkdir(parents=True)
            savemat(path, {'part_mask': masks}, do_compression=True)
            tested = name == 'golf' and number == 0
            lines.append(f'{video}.avi {2 if tested else 1} \n')
        (root / 'splits').mkdir(exist_ok=True)
        (root / f'splits/{name}_test_split1.txt').write_text(''.join(lines))
