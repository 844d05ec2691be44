import numpy as np
import pytest

from ssvad.evaluation.thresholds import mean_per_threshold, named_thresholds


def test_numbers_and_ranges_get_names():
    named = named_thresholds([0.2, [0.5, 0.95, 0.05]])
    assert list(named) == ['0.20', '0.50-0.95']
    expected = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert named['0.50-0.95'].tolist() == expected


@pytest.mark.parametrize('bad', [1.2, -0.1, (0.5, 0.9), (0.9, 0.5, 0.1), (0, 1, 0)])
def test_wrong_thresholds_are_refused(bad):
    with pytest.raises(ValueError, match='expected'):
        named_thresholds([bad])


def test_rows_are_picked_and_averaged_in_percent():
    grid = np.array([0.2, 0.5, 0.6])
    per_class = np.array([[0.9, np.nan], [0.6, np.nan], [0.2, np.nan]])
    means = mean_per_threshold(
        named_thresholds([0.2, (0.5, 0.6, 0.1)]), grid, per_class
    )
    np.testing.assert_allclose(means['0.20'], [90, np.nan])
    np.testing.assert_allclose(means['0.50-0.60'], [40, np.nan])


def test_threshold_off_the_grid_is_refused():
    with pytest.raises(ValueError, match='0.33 is none of'):
        mean_per_threshold(named_thresholds([0.33]), np.array([0.3]), np.ones((1, 1)))
