"""Backends of the visualiser, named on a command line."""

from __future__ import annotations

from mmengine.config import Config


def expand_backend_names(cfg: Config) -> None:
    """Replace names of backends by their configs, in place.

    ``--cfg-options`` knows no dicts in lists, so this is how it adds TensorBoard:
    ``visualizer.vis_backends=LocalVisBackend,TensorboardVisBackend``.
    """
    visualizer = cfg.get('visualizer') or {}
    backends = visualizer.get('vis_backends') or []
    if isinstance(backends, str):
        backends = [backends]
    if any(isinstance(backend, str) for backend in backends):
        visualizer.vis_backends = [
            dict(type=backend) if isinstance(backend, str) else backend
            for backend in backends
        ]
