"""Shared by the tests: where the real clips are, and small builders."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UCF24_MINI = Path(
    os.environ.get('SSVAD_UCF24_MINI', ROOT.parent / 'shared/data/ucf24_mini')
)
needs_ucf24_mini = pytest.mark.skipif(
    not UCF24_MINI.is_dir(),
    reason=f'real clips not found at {UCF24_MINI}; set SSVAD_UCF24_MINI',
)
