"""MLflow refuses names that metrics here have."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from mmaction.registry import VISBACKENDS
from mmengine.visualization import MLflowVisBackend as Base


def mlflow_name(name: str) -> str:
    """A name with ``_`` for what MLflow does not take, e.g. ``@``."""
    return re.sub(r'[^\w\-. :/]', '_', name)


@VISBACKENDS.register_module()
class MLflowVisBackend(Base):
    """mmengine's, which ends a training at its first ``stad/frame_mAP@0.50``.

    That is logged as ``stad/frame_mAP_0.50``. Pictures become the artifacts
    ``<name>_<step>.png``; mmengine's have no ending, which MLflow refuses, too.
    """

    def add_scalar(self, name: str, value: float, step: int = 0, **kwargs) -> None:
        """See ``mmengine.visualization.MLflowVisBackend``."""
        super().add_scalar(mlflow_name(name), value, step, **kwargs)

    def add_scalars(
        self,
        scalar_dict: Mapping[str, float],
        step: int = 0,
        file_path: str | None = None,
        **kwargs,
    ) -> None:
        """See ``mmengine.visualization.MLflowVisBackend``."""
        renamed = {mlflow_name(name): value for name, value in scalar_dict.items()}
        super().add_scalars(renamed, step, file_path, **kwargs)

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs) -> None:
        """See ``mmengine.visualization.MLflowVisBackend``."""
        super().add_image(f'{mlflow_name(name)}_{step}.png', image, step, **kwargs)
