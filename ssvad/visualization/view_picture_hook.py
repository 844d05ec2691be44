"""Pictures of what the semi-supervised method compares, while training."""

from __future__ import annotations

import torch
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from .browse import clip_sheet
from .keep_picture import keep_picture


@HOOKS.register_module()
class ViewPictureHook(Hook):
    """Draw the views of a training clip with the method's maps over them.

    Every ``interval`` epochs, for the first clips of the epoch's first batch:
    the frames of each view, with the truth if it is known, then each map that the
    method's ``maps`` returns (masks of both views, attention). The network runs in
    evaluation mode without gradient, so training is not changed. Files:
    ``<work_dir>/pictures/views_epoch_<n>_<labelled|unlabelled>.png``; TensorBoard and
    the like show ``views_<labelled|unlabelled>``.

    Args:
        interval: In epochs.
        min_width: Frames narrower than this are enlarged by a whole factor.
    """

    def __init__(self, interval: int = 10, min_width: int = 112):
        self.interval = interval
        self.min_width = min_width

    @master_only
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: dict
    ) -> None:
        """Draw at the first iteration of a due epoch."""
        if batch_idx or (runner.epoch + 1) % self.interval:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        data = model.data_preprocessor(data_batch, training=False)
        model.eval()
        with torch.no_grad():
            maps = model.method_maps(data['inputs'], data['data_samples'])
        model.train()
        classes = runner.train_dataloader.dataset.metainfo['classes']
        kinds = [
            'labelled' if 'gt_label' in s else 'unlabelled'
            for s in data['data_samples']
        ]
        for kind in sorted(set(kinds)):
            row = kinds.index(kind)
            sheet = clip_sheet(
                data_batch['inputs'][row],
                data_batch['data_samples'][row],
                classes,
                {name: values[row] for name, values in maps.items()},
                self.min_width,
            )
            epoch = runner.epoch + 1
            file = f'views_epoch_{epoch}_{kind}'
            keep_picture(runner, file, sheet, f'views_{kind}', epoch)
