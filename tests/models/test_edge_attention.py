"""Edge attention against values of the released functions (tests/data/smt)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ssvad.models import DetOutput, FFTMeanTeacher
from ssvad.models.semi.fft_mean_teacher import edge_attention
from ssvad.ramps import Progress
from tests import golden_smt as golden
from tests.models.fakes import FakeStep


def edge_volume():
    """(8, 224, 224) probabilities of the golden attention: a disk that moves."""
    values = np.zeros((8, 224, 224))
    y, x = np.mgrid[:224, :224]
    for t in range(8):
        distance = np.hypot(y - (100 + 3 * t), x - (90 + 5 * t + 10 * golden.PHASE))
        values[t] = 1 / (1 + np.exp(-(40 + 2 * t - distance) / 6))
    return torch.from_numpy(values)[None]


def test_edge_attention_as_released():
    values = golden.load('fft_attention')
    volume = edge_volume()
    weights = edge_attention(volume, int(values['radius']))
    sparse = weights[..., ::8, ::8] - golden.tensor(values['weight_sub8'][:, 0])
    assert sparse.abs().max() < 1e-3
    means = weights.mean((2, 3)).double().numpy()
    np.testing.assert_allclose(means, values['weight_mean_per_frame'][:, 0], atol=1e-5)
    saturated = (weights >= 1).double().mean((2, 3)).numpy()
    share = values['weight_frac_saturated'][:, 0]
    np.testing.assert_allclose(saturated, share, atol=1e-3)

    student = volume.clamp(1e-6, 1 - 1e-6).logit()
    squared = (student - (0.9 * student + 0.1)).square()
    ours = (weights * squared).mean().item()
    assert ours == pytest.approx(float(values['weighted_mse']), rel=1e-3)
    method = FFTMeanTeacher(loss_weight=1.0)
    teacher = 0.9 * student + 0.1
    step = FakeStep([0], Progress(0, 1))  # the last epoch
    step._outputs['strong'] = DetOutput(student, None, None)
    step._teacher_outputs['weak'] = DetOutput(teacher, None, None)
    both = method(step)['loss_cons_mask'].item()
    other = edge_attention(teacher.sigmoid())
    pooled = F.avg_pool3d(student - teacher, 3, 1, 1).square()
    assert both - (other * pooled).mean().item() == pytest.approx(
        float(values['weighted_mse_pooled']), rel=1e-3
    )
