"""Peak memory of streaming a video, and one 20 times longer, as JSON in MiB.

Run in a process of its own: the peak of a process never falls.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from ssvad.apis import stream_video
from ssvad.video_io import write_video
from tests.apis.videos import Bright

SHORT, TIMES, SIZE = 160, 20, 80
STATUS = Path('/proc/self/status')


def peak():
    """Peak resident memory of this program so far in MiB.

    Not from getrusage: there a process begins with the peak of the one it came from.
    """
    found = re.search(r'VmHWM:\s+(\d+) kB', STATUS.read_text())
    return int(found[1]) / 1024


def moving(count):
    ramp = np.arange(SIZE, dtype=np.uint8)
    frame = np.stack([ramp + 2 * ramp[:, None]] * 3, axis=-1)
    return (np.roll(frame, f, axis=1) for f in range(count))


def main(folder):
    detector = Bright().eval()
    paths = {}
    for name, count in (('short', SHORT), ('long', TIMES * SHORT)):
        paths[name] = folder / f'{name}.mp4'
        write_video(paths[name], moving(count))
    peaks = dict(size_of_masks=TIMES * SHORT * SIZE**2 * 4 / 2**20)
    for name in ('short', 'long'):
        frames = sum(len(b.frame_inds) for b in stream_video(detector, paths[name]))
        peaks[name] = peak()
    assert frames == TIMES * SHORT
    kept = [block.mask for block in stream_video(detector, paths['long'])]
    peaks['kept'] = peak()
    assert len(kept)
    sys.stdout.write(json.dumps(peaks) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
