import numpy as np
import pytest
import torch

from ssvad.evaluation.capsule_recall import kept_clip_class
from ssvad.evaluation.mask_to_boxes import mask_to_boxes
from ssvad.evaluation.tube_linking import link_boxes
from ssvad.evaluation.video_record import (
    annotated_track,
    capsule_record,
    field,
    standard_record,
)
from tests.evaluation.oracles import whole_video_clips
from tests.evaluation.samples import make_sample, moving_tube, paint, two_actors


def test_counts_are_in_frame_order_and_ignore_padding():
    sample = two_actors(num_frames=43)  # the last block is padded with 5 frames
    mask = np.zeros((43, 48, 48), np.float32)
    mask[:, :10] = 0.5
    sample['pred_mask'] = torch.from_numpy(mask)
    sample['gt_mask'][~sample['frame_valid']] = 1
    counts = capsule_record(sample)[0]['counts']
    truth = paint(sample['gt_tubes'], 43)
    np.testing.assert_array_equal(counts['gt_area'], truth.sum(axis=(1, 2)))
    np.testing.assert_array_equal(counts['pred_area'], np.full(43, 480))
    np.testing.assert_array_equal(counts['inter'], truth[:, :10].sum(axis=(1, 2)))


def kept_class(sample):
    (truth,) = capsule_record(sample)
    return kept_clip_class(truth['kept_scores'], truth['num_kept'])


def test_class_comes_from_clips_with_ground_truth_only():
    # action on frames 3..34: of six clips only the first four hold any of it
    sample = two_actors(num_frames=64)
    scores = np.zeros((8, 3), np.float32)
    inds, _ = whole_video_clips(64)
    shown = paint(sample['gt_tubes'], 64).any(axis=(1, 2))[inds].reshape(8, 8)
    kept = shown.any(axis=1)
    assert 0 < kept.sum() < 8
    scores[kept, 2], scores[~kept, 0] = 0.1, 1.0
    sample['pred_clip_scores'] = scores
    assert kept_class(sample) == 2


def test_a_clip_of_padding_alone_is_not_kept():
    # frame 16 opens the second block; its other clip repeats it as padding
    sample = make_sample('short', [moving_tube(17, 15, 2, x=3, y=3)], 0, num_frames=17)
    scores = np.zeros((4, 3), np.float32)
    scores[[1, 2], 1], scores[3, 0] = 0.1, 1.0
    sample['pred_clip_scores'] = scores
    assert kept_class(sample) == 1


def test_boxes_and_tracks_lie_in_the_source_frame():
    sample = two_actors()
    sample['original_shape'] = (200, 400)
    sample['crop_quadruple'] = (0.25, 0.5, 0.5, 0.24)
    record = standard_record(sample, mask_to_boxes, link_boxes)
    # 48 mask columns show 200 source pixels from 100, 48 rows show 48 from 100
    x, y, size_x = 100 + 2 * 200 / 48, 100 + 4, 12 * 200 / 48
    expected = [x, y, x + size_x, y + 12]
    np.testing.assert_allclose(record['detected']['boxes'][0], expected)
    assert [track['start'] for track in record['tracks']] == [3, 10]
    np.testing.assert_allclose(record['tracks'][0]['boxes'][0], expected)
    assert [len(track['boxes']) for track in record['gt_tracks']] == [20, 25]


def test_holes_and_empty_tubes_are_refused():
    tube = moving_tube(30, 3, 10, 0, 0)
    assert annotated_track(tube).start == 3
    tube[6] = np.nan
    with pytest.raises(ValueError, match="video 'a', tube 4.*consecutive"):
        annotated_track(tube, "video 'a', tube 4")
    with pytest.raises(ValueError, match='got 0 frames'):
        annotated_track(np.full((5, 4), np.nan))


def test_missing_field_is_named_with_the_video():
    sample = two_actors('some video')
    del sample['gt_mask']
    with pytest.raises(KeyError, match="some video.*has no 'gt_mask'"):
        capsule_record(sample)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('gt_mask', lambda v: v[:, :24], 'size of pred_mask'),
        ('gt_mask', lambda v: v[1:], 'gt_mask of shape'),
        ('pred_clip_scores', lambda v: v[1:], 'do not divide'),
        ('frame_inds', lambda v: np.where(v == 7, 8, v), 'cover 42 frames'),
    ],
)
def test_capsule_shapes_that_disagree_are_refused(name, change, message):
    sample = two_actors()
    sample[name] = change(sample[name])
    with pytest.raises(ValueError, match=message):
        capsule_record(sample)


def test_tubes_of_another_length_are_refused():
    sample = two_actors()
    sample['gt_tubes'] = sample['gt_tubes'][:, :-1]
    with pytest.raises(ValueError, match='expected gt_tubes of shape'):
        standard_record(sample, mask_to_boxes, link_boxes)


def test_field_fetches_tensors_with_gradients():
    value = torch.ones(2, requires_grad=True)
    assert field({'a': value}, 'a').tolist() == [1, 1]
