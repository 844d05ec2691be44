"""The network of tools/export.py, and its file formats."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

import torch
from torch import Tensor, nn

from ssvad.models.backbones.i3d import Unit3D
from ssvad.models.folding import fold_batch_norm

SUFFIXES = {'onnx': '.onnx', 'exported': '.pt2', 'torchscript': '.pt'}
Network = Callable[[Tensor], Sequence[Tensor]]


class ExportedDetector(nn.Module):
    """The detector with its normalisation, as tensors in and tensors out.

    Args:
        model: A built ``MaskDetector`` or ``SemiDetector``; it is not changed.
        net: 'student' or, of a semi-supervised model, 'teacher'.

    Raises:
        ValueError: If there is no teacher.
    """

    def __init__(self, model: nn.Module, net: str = 'student'):
        super().__init__()
        preprocessor = model.data_preprocessor
        if net == 'teacher':
            if getattr(model, 'teacher', None) is None:
                raise ValueError(
                    f'{type(model).__name__} of this config has no teacher; export '
                    'its student (--net student), or set model.teacher as in training'
                )
            model = model.teacher['detector']
        detector = getattr(model, 'detector', model).eval()
        if any(isinstance(module, Unit3D) for module in detector.modules()):
            detector = fold_batch_norm(detector)
        else:
            detector = copy.deepcopy(detector).requires_grad_(False)
        for module in detector.modules():
            # the fast one has gradients of its own, which formats do not know
            if hasattr(module, 'implementation'):
                module.implementation = 'plain'
            # without one, what PyTorch writes for ONNX is refused by its runtime
            if isinstance(module, nn.Conv3d) and module.bias is None:
                module.bias = nn.Parameter(torch.zeros(module.out_channels), False)
        self.detector = detector
        # frames are RGB, and `to_rgb` of a preprocessor turns them round
        self.turned = getattr(preprocessor, 'to_rgb', False)
        mean, std = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
        if getattr(preprocessor, '_enable_normalize', False):
            mean, std = preprocessor.mean, preprocessor.std
        self.register_buffer('factor', 255 / std)
        self.register_buffer('offset', mean / std)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, T, H, W) in [0, 1] to logits (B, T, H, W) and scores (B, K)."""
        if self.turned:
            clips = clips.flip(1)
        output = self.detector.detect(clips * self.factor - self.offset)
        return output.mask, output.scores


def write(
    network: nn.Module,
    clips: Tensor,
    path: Path,
    form: str,
    dynamic_batch: bool,
    about: Mapping[str, str],
) -> None:
    """Write the network in one of the formats.

    Args:
        network: In eval mode; takes ``clips``.
        clips: (B, 3, T, H, W).
        path: File to write.
        form: A key of ``SUFFIXES``.
        dynamic_batch: Whether B may be another one, in the file.
        about: Strings to write into it.
    """
    shapes = {0: torch.export.Dim('batch')} if dynamic_batch else None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if form == 'torchscript':
            traced = torch.jit.trace(network, clips, check_trace=False)
            torch.jit.save(traced, path, _extra_files=about)
            return
        # Swin keeps the masks that it makes in its first pass: not while exporting
        network(clips)
        program = torch.export.export(network, (clips,), dynamic_shapes=[shapes])
        if form == 'exported':
            torch.export.save(program, path, extra_files=about)
            return
        # Routing divides by activations that may be tiny, plus 1e-8. ONNX Runtime's
        # Sigmoid is off by 5e-8 and 0 from -18 down, its Exp is exact.
        program = program.run_decompositions(
            {torch.ops.aten.sigmoid.default: lambda x: 1 / (1 + torch.exp(-x))}
        )
        # advice about packages that nothing here needs
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        onnx = torch.onnx.export(
            program,
            input_names=['clips'],
            output_names=['mask', 'scores'],
            dynamo=True,
            # its rewriting takes 1e-8 for 0, and ONNX Runtime has one of its own
            optimize=False,
            verbose=False,
        )
    onnx.model.metadata_props.update(about)
    onnx.save(path)


def load(path: Path, form: str) -> Network:
    """Read a file of :func:`write` as a function of ``clips``."""
    if form == 'torchscript':
        return torch.jit.load(path)
    if form == 'exported':
        return torch.export.load(path).module()
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])

    def run(clips: Tensor) -> list[Tensor]:
        outputs = session.run(['mask', 'scores'], {'clips': clips.numpy()})
        return [torch.from_numpy(output) for output in outputs]

    return run
