"""What metrics of whole videos have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric


class RecordMetric(BaseMetric):
    """A metric that keeps one small record of each data sample, and no mask."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append exactly one record per data sample.

        One, because mmengine cuts the collected list at the dataset's length.
        """
        self.results.extend(self.reduce(sample) for sample in data_samples)

    @abstractmethod
    def reduce(self, sample: Mapping) -> dict:
        """Turn a data sample into its record of plain NumPy values."""
