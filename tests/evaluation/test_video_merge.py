import numpy as np
import pytest

from ssvad.evaluation.tube_linking import link_boxes
from ssvad.evaluation.video_merge import merge_records
from tests.evaluation.samples import make_metric, split_into_clips, two_actors


def clip_records(video_id='two'):
    metric = make_metric()
    metric.process(None, split_into_clips(two_actors(video_id)))
    return metric.results


def merge(records):
    return merge_records(records, link_boxes)


def test_clips_become_the_record_of_the_whole_video():
    metric = make_metric()
    (whole,) = merge([metric.reduce(two_actors())])
    clips = clip_records()
    (merged,) = merge([*clips[::-1], clips[2]])
    assert merged['num_clips'] == whole['num_clips'] == 6
    assert merged['frames'].tolist() == list(range(43))
    for kind in ('detected', 'gt_tracks', 'tracks', 'gt_labels'):
        ours, theirs = (r['standard'][kind] for r in (merged, whole))
        np.testing.assert_equal(ours, theirs)
    np.testing.assert_equal(merged['capsule'], whole['capsule'])


def test_videos_are_sorted_and_repetitions_dropped():
    metric = make_metric()
    names = ['b', 'a', 'b', 'c', 'a']
    metric.process(None, [two_actors(name) for name in names])
    assert [record['video_id'] for record in merge(metric.results)] == ['a', 'b', 'c']


@pytest.mark.parametrize(
    ('pick', 'message'),
    [
        (lambda c: c[:2] + c[3:], r"'two': 8 of its 43 frames are missing, first frame "
                                  r'16; clips that came: \[0, 1, 3, 4, 5\]'),
        (lambda c: [*c, dict(c[1], clip_id=9)], r'8 of its 43 frames came twice, first '
                                                r'frame 1; clips that came: \[.*9\]'),
        (lambda c: [*c, make_metric().reduce(two_actors())], '43 frames came twice'),
        (lambda c: [dict(clip, clip_id=clip['clip_id'] + 1) for clip in c],
         'expected clips numbered from 0'),
        (lambda c: [*c, dict(c[1], frames=c[2]['frames'])], 'a name of its own'),
        (lambda c: [*c, dict(c[1], label=2)], "'two' came with different"),
    ],
)  # fmt: skip
def test_incomplete_and_doubled_videos_are_refused(pick, message):
    with pytest.raises(ValueError, match=message):
        merge(pick(clip_records()))


def test_two_videos_of_one_name_are_refused():
    metric = make_metric()
    metric.process(None, [two_actors(), two_actors(num_frames=60)])
    with pytest.raises(ValueError, match='a name of its own'):
        metric.evaluate(2)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(clip_id=-3), 'expected clip_id from 0 on'),
        (dict(frame_inds=np.arange(8) + 40), 'frame_inds .* are not among the 43'),
        (dict(pred_mask=np.zeros((43, 48, 48))), r'expected pred_mask \(8, H, W\)'),
    ],
)
def test_wrong_clips_are_refused(change, message):
    clip = split_into_clips(two_actors())[0]
    change = dict(change)
    if change.get('clip_id') == -3:
        change['pred_mask'] = np.zeros((43, 48, 48), np.float32)
    with pytest.raises(ValueError, match=message):
        make_metric().reduce({**clip, **change})
