import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.evaluation.capsule_truth import capsule_truths, inside_boxes
from ssvad.evaluation.video_record import capsule_record
from tests.evaluation.samples import (
    evaluate,
    make_sample,
    moving_tube,
    noisy_videos,
    paint,
    two_actors,
)


def truths(sample, policy, seed=0):
    frames = np.arange(sample['total_frames'])
    union = paint(sample['gt_tubes'], len(frames))
    return capsule_truths(sample, union, frames, policy, seed)


def test_policies_choose_actors():
    sample = two_actors()
    first, second = (paint([tube], 43) for tube in sample['gt_tubes'])
    assert [(t.label, t.weight) for t in truths(sample, 'all')] == [(1, 0.5), (1, 0.5)]
    for policy, expected in (
        ('union', [first | second]),
        ('first', [first]),
        ('all', [first, second]),
    ):
        found = [truth.mask for truth in truths(sample, policy)]
        np.testing.assert_array_equal(found, expected)


def test_the_draw_depends_on_name_and_seed_only():
    def drawn(name, seed):
        (truth,) = truths(two_actors(name), 'random', seed)
        return bool(truth.mask[3].any())  # the second actor comes later

    names = [f'video {i}' for i in range(40)]
    draws = [drawn(name, 0) for name in names]
    assert draws == [drawn(name, 0) for name in names]
    assert draws != [drawn(name, 1) for name in names]
    assert 10 < sum(draws) < 30


@pytest.mark.parametrize('policy', ['union', 'first', 'random', 'all'])
def test_one_actor_is_the_same_by_every_policy(policy):
    samples = [s for s in noisy_videos(5) if len(s['gt_tubes']) < 2]
    expected = evaluate(samples, protocol='capsule')
    assert evaluate(samples, protocol='capsule', annotation=policy) == expected


def test_one_actor_needs_no_boxes_for_its_silhouette():
    sample = make_sample('a', [moving_tube(40, 3, 20, x=2, y=4)], 0)
    sample['gt_mask'][:, ::2] = 0
    counts = capsule_record(sample)[0]['counts']
    again = capsule_record(sample, 'random')[0]['counts']
    np.testing.assert_array_equal(counts['gt_area'], again['gt_area'])


def test_all_is_the_mean_over_every_draw():
    # the mask shows the first actor only: found when he is drawn, else not
    sample = two_actors()
    sample['pred_mask'] = paint(sample['gt_tubes'][:1], 43).astype(np.float32)
    values = {
        policy: evaluate([sample], protocol='capsule', annotation=policy)
        for policy in ('first', 'all', 'union')
    }
    key = 'stad/capsule_v_mAP@0.50'
    assert [values[policy][key] for policy in ('first', 'all')] == [100, 50]
    # 20 frames show the first actor, 25 the second; half a weight each
    frames = values['all']['stad/capsule_f_mAP@0.50']
    assert frames == pytest.approx(100 * 20 / 45)
    assert values['all']['stad/capsule_acc'] == 100


@given(
    st.tuples(
        st.integers(0, 6), st.integers(0, 5), st.integers(4, 9), st.integers(4, 8)
    ),
    st.tuples(
        st.floats(-3, 12), st.floats(-3, 12), st.floats(0.5, 9), st.floats(0.5, 9)
    ),
)
def test_unscaled_crops_show_the_pixels_whose_centres_are_inside(crop, where):
    x, y, w, h = crop
    x1, y1, dx, dy = where
    canvas = np.zeros((14, 15), bool)
    for row, column in np.ndindex(canvas.shape):
        canvas[row, column] = x1 <= column + 0.5 < x1 + dx and y1 <= row + 0.5 < y1 + dy
    fractions = np.array([x / 15, y / 14, w / 15, h / 14])
    boxes = np.array([[x1, y1, x1 + dx, y1 + dy], [np.nan] * 4])
    shown = inside_boxes(boxes, (h, w), fractions, np.array([14, 15]))
    np.testing.assert_array_equal(shown[0], canvas[y : y + h, x : x + w])
    assert not shown[1].any()


def test_labels_of_the_drawn_actor_are_checked():
    sample = two_actors()
    sample['tube_labels'] = np.array([1, 9])
    with pytest.raises(ValueError, match=r'labels \[1, 9\] are not among the 3'):
        evaluate([sample], protocol='capsule', annotation='all')
