"""Where the pictures of a run go."""

from __future__ import annotations

import os.path as osp

import numpy as np
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist
from mmengine.visualization import LocalVisBackend

from . import draw


def keep_picture(
    runner: Runner, file: str, picture: np.ndarray, tag: str, step: int
) -> None:
    """Write ``<work_dir>/pictures/<file>.png`` and tell the backends of the visualizer.

    Args:
        runner: Of the run.
        file: Name without ending.
        picture: (h, w, 3) uint8 RGB.
        tag: Name in TensorBoard, WandB, MLflow: there it is one picture that changes.
        step: Number of the epoch.
    """
    folder = osp.join(runner.work_dir, 'pictures')
    mkdir_or_exist(folder)
    draw.save_png(osp.join(folder, f'{file}.png'), picture)
    for backend in runner.visualizer._vis_backends.values():
        # the local one would write it once more
        if not isinstance(backend, LocalVisBackend):
            backend.add_image(tag, picture, step)
