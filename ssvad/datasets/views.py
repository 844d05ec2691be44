"""Several views of one clip, with the geometry that undoes them."""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ssvad.geometry import WHOLE_FRAME, ViewGeometry


class _View(NamedTuple):
    frames: list[np.ndarray]
    geometry: ViewGeometry
    photometric: list[tuple] | None

    @property
    def size(self) -> tuple[int, int]:
        return self.frames[0].shape[:2]


@TRANSFORMS.register_module()
class PairedViews(BaseTransform):
    """Make named views of a clip, each with its own list of transforms.

    ``PairedViews()`` is the pair of the flip consistency methods,
    ``PairedViews(base=[], flip=[dict(type='Flip', flip_ratio=1.0)])``; any number
    of names is possible. Every view starts from a copy of the same frames and
    draws its own random numbers. What lies before (shared crop, shared flip) is
    common to all views and stays recorded; what a view does is recorded in its
    :class:`ViewGeometry` only. The order of the names is axis V after
    ``FormatShape('NCTHW')``: ``(V, C, T, H, W)``.

    Required Keys:

        - imgs: T frames ``(h, w, 3)``
        - img_shape
        - modality (if a view flips)
        - photometric (optional): what ``StrongPhotometric`` did to all views

    Modified Keys:

        - imgs: V * T frames ``(H, W, 3)``, view after view
        - img_shape: ``(H, W)`` of the views

    Added Keys:

        - views: ``{name: ViewGeometry}`` relative to the shared frame
        - photometric (if colours change): ``{name: record}``, all changes of a view
          for ``apply_photometric``, those before it included

    Args:
        views: Lists of transforms by name of the view.

    Raises:
        ValueError: If views end at different sizes or frame counts, crop after a
            flip, flip vertically, or use lazy transforms.
    """

    def __init__(self, **views: list[dict | Callable]) -> None:
        if not views:
            views = dict(base=[], flip=[dict(type='Flip', flip_ratio=1.0)])
        self.views = {
            name: [t if callable(t) else TRANSFORMS.build(t) for t in transforms]
            for name, transforms in views.items()
        }

    def transform(self, results: dict) -> dict | None:
        """Add the frames and geometry of all views; None if a view gives None."""
        if 'lazy' in results:
            raise ValueError('PairedViews needs real frames: put Fuse before it')
        views = {}
        for name in self.views:
            view = self._run(name, results)
            if view is None:
                return None
            views[name] = view
        sizes = {name: view.size for name, view in views.items()}
        if len(set(sizes.values())) > 1:
            listed = ', '.join(f"'{n}' at {h}x{w}" for n, (h, w) in sizes.items())
            raise ValueError(
                f'all views need one size, but they end {listed} (height x width); '
                'end each of them with Resize(keep_ratio=False) to the same scale'
            )
        results['imgs'] = [frame for view in views.values() for frame in view.frames]
        results['img_shape'] = next(iter(sizes.values()))
        results['views'] = {name: view.geometry for name, view in views.items()}
        if any(view.photometric is not None for view in views.values()):
            results['photometric'] = {n: v.photometric or [] for n, v in views.items()}
        return results

    def _run(self, name: str, results: dict) -> _View | None:
        # Flip writes into the frames it gets: each view needs its own
        frames = [np.array(frame) for frame in results['imgs']]
        crop = np.array(WHOLE_FRAME, dtype=np.float32)
        view = dict(results, imgs=frames, crop_quadruple=crop)
        view.pop('flip', None)
        hflip = after_flip = False
        for transform in self.views[name]:
            view = transform(view)
            if view is None:
                return None
            if after_flip and not np.array_equal(view['crop_quadruple'], crop):
                raise ValueError(
                    f"view '{name}': {type(transform).__name__} crops after a flip, "
                    'but the recorded geometry means crop first: put Flip last'
                )
            crop = view['crop_quadruple']
            # taken away so that a second Flip cannot overwrite the record
            if 'flip' in view:
                after_flip = True
                hflip ^= bool(view.pop('flip'))
                if view['flip_direction'] != 'horizontal':
                    raise ValueError(
                        f"view '{name}': Flip(direction={view['flip_direction']!r}) "
                        'cannot be undone, only horizontal flips can'
                    )
        if 'lazy' in view:
            raise ValueError(
                f"view '{name}': lazy transforms leave the frames as they are: use "
                'lazy=False or end the view with Fuse'
            )
        if len(view['imgs']) != len(frames):
            raise ValueError(
                f"view '{name}': {len(frames)} frames went in, {len(view['imgs'])} "
                'came out; a view must keep the frames (no ThreeCrop, TenCrop)'
            )
        geometry = ViewGeometry(tuple(float(value) for value in crop), hflip)
        return _View(list(view['imgs']), geometry, view.get('photometric'))

    def __repr__(self) -> str:
        listed = ', '.join(f'{n}={transforms}' for n, transforms in self.views.items())
        return f'{type(self).__name__}({listed})'
