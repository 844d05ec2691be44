"""What evaluators of the standard protocol disagree about, as named presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

CHOICES = {
    'frame_pixel': ('inclusive', 'exclusive'),
    'tube_pixel': ('inclusive', 'exclusive'),
    'tube_time': ('frames', 'distance'),
    'frame_rematch': (True, False),
    'tube_rematch': (True, False),
    'ap': ('trapezoid', 'voc'),
    'frames': ('all', 'annotated'),
    'frame_empty': ('skip', 'zero'),
    'tube_empty': ('skip', 'zero'),
}


@dataclass(frozen=True)
class Convention:
    """How boxes and tubes are measured, matched and averaged.

    Boxes given to this package are half-open. Annotated corners of this field are
    numbers of the last pixel; evaluators that take them as ``x2 - x1 + 1`` measure the
    half-open width ('inclusive'), those that take ``x2 - x1`` measure every box a
    pixel narrower and lower ('exclusive').

    Attributes:
        name: of the preset it stems from.
        frame_pixel: 'inclusive' or 'exclusive' box IoU on frames.
        tube_pixel: the same inside the tube IoU.
        tube_time: temporal IoU in 'frames', or in 'distance' between first and last
            frame, which is one less.
        min_shared_frames: tubes sharing fewer frames do not overlap, at least 1.
        frame_rematch: whether a box whose best object is taken may have its second
            best; if not, it is a false positive.
        tube_rematch: the same for tubes.
        ap: 'trapezoid' under the raw precision-recall points from (recall 0, precision
            1), or 'voc': all-point area under the interpolated curve.
        frames: whether detections on 'all' frames count, or only on those 'annotated'
            with an object of any class.
        tube_nms: tube IoU above which the weaker tube of a video and class is dropped;
            None keeps all.
        frame_empty: what a class without ground truth does to frame-mAP: 'skip' leaves
            it out, 'zero' counts it as 0.
        tube_empty: the same for video-mAP.
        tube_recall_eps: added to the number of objects that recall is relative to.

    Raises:
        ValueError: for a value that a field cannot have.
    """

    name: str = 'act'
    frame_pixel: str = 'inclusive'
    tube_pixel: str = 'inclusive'
    tube_time: str = 'frames'
    min_shared_frames: int = 1
    frame_rematch: bool = True
    tube_rematch: bool = True
    ap: str = 'trapezoid'
    frames: str = 'all'
    tube_nms: float | None = 0.3
    frame_empty: str = 'skip'
    tube_empty: str = 'skip'
    tube_recall_eps: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'convention: {name} is one of {choices}, got '
                    f'{getattr(self, name)!r}'
                )
        if self.tube_nms is not None and not 0 <= self.tube_nms <= 1:
            raise ValueError(f'convention: tube_nms {self.tube_nms} is not in [0, 1]')
        if self.min_shared_frames < 1 or not 0 <= self.tube_recall_eps < 1:
            raise ValueError(
                'convention: expected min_shared_frames >= 1 and tube_recall_eps in '
                f'[0, 1), got {self.min_shared_frames} and {self.tube_recall_eps}'
            )

    def __str__(self) -> str:
        values = asdict(self)
        name = values.pop('name')
        return f'{name} ({", ".join(f"{k}={v}" for k, v in values.items())})'


# ACT (Kalogeiton et al., 2017), also as ported in MOC-Detector; ACT itself counts an
# absent class as 0 or crashes on it. YOWO and YOWOv2 agree with each other. MultiSports
# as in MMAction2 1.2. 3D-RetinaNet (gurkirt) measures frames and tubes differently.
PRESETS = {
    'act': Convention(),
    'yowo': Convention(
        'yowo',
        min_shared_frames=2,
        frame_rematch=False,
        ap='voc',
        frames='annotated',
        tube_empty='zero',
        tube_recall_eps=1e-5,
    ),
    'multisports': Convention(
        'multisports',
        frame_pixel='exclusive',
        tube_pixel='exclusive',
        tube_time='distance',
        frame_rematch=False,
        tube_rematch=False,
        ap='voc',
        tube_nms=None,
    ),
    'retinanet3d': Convention('retinanet3d', frame_pixel='exclusive', tube_nms=None),
}


def get_convention(preset: str | Convention = 'act', **overrides: object) -> Convention:
    """Look up a preset and change fields of it.

    Raises:
        ValueError: for an unknown preset, field or value.
    """
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise ValueError(
                f'expected a convention among {list(PRESETS)}, got {preset!r}'
            )
        preset = PRESETS[preset]
    known = [field.name for field in fields(Convention)]
    unknown = [name for name in overrides if name not in known]
    if unknown:
        raise ValueError(f'a convention has no field {unknown}; there are {known}')
    convention = replace(preset, **overrides)
    if convention != preset and convention.name in PRESETS:
        convention = replace(convention, name=f'{convention.name}, changed')
    return convention
