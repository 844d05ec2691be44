"""Pretrained weights that a training can begin without."""

from __future__ import annotations

import logging
from pathlib import Path

from mmaction.registry import WEIGHT_INITIALIZERS
from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import nn

from .reference_weights import read_state


@WEIGHT_INITIALIZERS.register_module()
class OptionalPretrained:
    """Load a module's weights strictly if the file is there, else warn and go on.

    mmengine's ``Pretrained`` fails without the file and is content with a file that
    fits in part. Weights are initialised when a training begins, before those of
    ``load_from`` or ``--resume`` replace them, and not at all for testing.

    Args:
        checkpoint: File that ``tools/convert_checkpoint.py`` wrote.
    """

    def __init__(self, checkpoint: str):
        self.checkpoint = checkpoint

    def __call__(self, module: nn.Module) -> None:
        """Fill the module.

        Raises:
            RuntimeError: If the file does not hold exactly the module's weights.
        """
        name = type(module).__name__
        command = (
            f'`python tools/convert_checkpoint.py rgb_charades.pt {self.checkpoint}`'
        )
        if not Path(self.checkpoint).is_file():
            print_log(
                f"no pretrained weights at '{self.checkpoint}': {name} starts from "
                'scratch unless a checkpoint is loaded or resumed next. The published '
                f'numbers need weights pretrained on Charades: {command} makes the '
                'file from the one of pytorch-i3d',
                logger='current',
                level=logging.WARNING,
            )
            return
        try:
            module.load_state_dict(read_state(self.checkpoint))
        except (RuntimeError, ValueError) as error:
            raise RuntimeError(
                f"'{self.checkpoint}' does not hold the weights of {name}; {command} "
                f'makes such a file. {error}'
            ) from error
        print_log(f"{name} starts from '{self.checkpoint}'", logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, f'OptionalPretrained: from {self.checkpoint}')
