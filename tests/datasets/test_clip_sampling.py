import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.datasets.clip_sampling import (
    SampleTubeClip,
    SampleWholeVideo,
    clip_around,
    released_clip_around,
    whole_video_clips,
)

lengths = st.integers(1, 60)


def tubes(total, *spans):
    dense = np.full((len(spans), total, 4), np.nan, dtype=np.float32)
    for row, (start, stop) in zip(dense, spans):
        row[start:stop] = [1, 2, 3, 4]
    return dense


@given(
    total=lengths,
    clip_len=st.integers(1, 9),
    interval=st.integers(1, 4),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_clip_around_stays_in_the_video(total, clip_len, interval, data):
    centre = data.draw(st.integers(0, total - 1))
    indices, used = clip_around(centre, total, clip_len, interval)
    assert len(indices) == clip_len
    assert indices.min() >= 0 and indices.max() < total
    steps = np.diff(indices)
    if total >= clip_len:
        assert (steps == used).all()
    else:
        assert used == 1 and set(steps) <= {0, 1}
    if total >= clip_len * interval:
        assert used == interval
        assert indices[0] <= centre < indices[0] + clip_len * interval


def test_clip_around_examples():
    indices, _ = clip_around(20, 101, 8, 2)
    assert indices.tolist() == [12, 14, 16, 18, 20, 22, 24, 26]
    assert clip_around(3, 101, 8, 2)[0].tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert clip_around(100, 101, 8, 2)[0].tolist() == list(range(85, 101, 2))
    assert clip_around(9, 10, 8, 2)[0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert clip_around(0, 5, 8, 2)[0].tolist() == [0, 1, 2, 3, 4, 4, 4, 4]


def test_agrees_with_the_published_loader_inside_a_video():
    for selected in range(8, 101 - 8):
        start = selected - 8
        expected = [start + 2 * t for t in range(8)]
        assert clip_around(selected, 101, 8, 2)[0].tolist() == expected


def clip_of_the_released_loaders(video, centre, depth=8, vskip=2):
    """What the UCF101-24 and JHMDB-21 loaders do, line by line."""
    start = centre - int((depth * vskip) / 2)
    if start < 0:
        vskip = 1
        start = centre - int((depth * vskip) / 2)
        if start < 0:
            start = 0
    if start + (depth * vskip) >= len(video):
        start = len(video) - (depth * vskip)
    span = np.arange(depth) * vskip
    span += start
    return video[span], vskip


@given(total=lengths, depth=st.integers(1, 9), vskip=st.integers(1, 4), data=st.data())
@settings(max_examples=300, deadline=None)
def test_released_borders_are_those_of_the_released_loaders(total, depth, vskip, data):
    centre = data.draw(st.integers(0, total - 1))
    try:
        frames, used = clip_of_the_released_loaders(
            np.arange(total), centre, depth, vskip
        )
    except IndexError:
        with pytest.raises(ValueError, match="use at_border='shift'"):
            released_clip_around(centre, total, depth, vskip)
    else:
        indices, interval = released_clip_around(centre, total, depth, vskip)
        assert indices.tolist() == frames.tolist() and interval == used


def test_released_borders_examples():
    def clip(centre, total):
        return released_clip_around(centre, total, 8, 2)[0].tolist()

    assert clip(20, 101) == clip_around(20, 101, 8, 2)[0].tolist()
    assert clip(100, 101) == clip_around(100, 101, 8, 2)[0].tolist()
    assert clip(7, 101) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert clip(2, 101) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert clip(9, 12) == [8, 10, 0, 2, 4, 6, 8, 10]
    assert clip(2, 5) == [2, 3, 4, 0, 1, 2, 3, 4]
    for total in (1, 2, 3):
        with pytest.raises(ValueError, match=f'8 frames from a video of {total}'):
            released_clip_around(0, total, 8, 2)


def test_border_rule_is_chosen_by_name():
    results = dict(total_frames=101, gt_tubes=tubes(101, (3, 4)))
    shifted = SampleTubeClip()(dict(results))
    released = SampleTubeClip(at_border='released')(dict(results))
    assert shifted['frame_inds'].tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert released['frame_inds'].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert (shifted['frame_interval'], released['frame_interval']) == (2, 1)
    with pytest.raises(ValueError, match=r"\['released', 'shift'\], got 'wrap'"):
        SampleTubeClip(at_border='wrap')


@given(total=lengths, clip_len=st.integers(1, 9), interval=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_whole_video_covers_each_frame_once(total, clip_len, interval):
    indices, valid = whole_video_clips(total, clip_len, interval)
    assert sorted(indices[valid]) == list(range(total))
    assert (indices[~valid] == total - 1).all()
    block = clip_len * interval
    for position, index in enumerate(np.where(valid, indices, -1)):
        b, rest = divmod(position, block)
        j, t = divmod(rest, clip_len)
        wanted = b * block + j + interval * t
        assert index == (wanted if wanted < total else -1)
    assert len(indices) < total + block


def test_trimmed_clips_contain_annotated_frames():
    results = dict(video_id='v', total_frames=90, gt_tubes=tubes(90, (5, 8), (60, 62)))
    sample = SampleTubeClip(clip_len=8, frame_interval=2)
    annotated = {5, 6, 7, 60, 61}
    starts = set()
    for seed in range(60):
        np.random.seed(seed)
        out = sample(dict(results))
        window = set(range(out['frame_inds'][0], out['frame_inds'][0] + 16))
        assert annotated & set(out['frame_inds'])
        assert annotated & window
        starts.add(int(out['frame_inds'][0]))
    assert starts == {0, 52, 53}
    assert (out['clip_len'], out['frame_interval'], out['num_clips']) == (8, 2, 1)


def test_untrimmed_clips_need_no_annotation_and_reach_all_frames():
    np.random.seed(0)
    sample = SampleTubeClip(clip_len=4, frame_interval=1, trimmed=False)
    seen = set()
    for _ in range(200):
        seen |= set(sample(dict(total_frames=20))['frame_inds'].tolist())
    assert seen == set(range(20))


def test_short_video_records_the_interval_used():
    out = SampleTubeClip(8, 2, trimmed=False)(dict(total_frames=12))
    assert out['frame_interval'] == 1


def test_whole_video_keys():
    out = SampleWholeVideo(clip_len=8, frame_interval=2)(dict(total_frames=20))
    assert out['num_clips'] == 4 and out['clip_len'] == 8
    assert out['frame_inds'].shape == out['frame_valid'].shape == (32,)
    assert out['frame_valid'].sum() == 20


def test_errors():
    results = dict(video_id='a/b', total_frames=30, gt_tubes=tubes(30))
    with pytest.raises(ValueError, match=r'a/b: no tube.*trimmed=False'):
        SampleTubeClip()(results)
    with pytest.raises(ValueError, match='0 frames'):
        SampleWholeVideo()(dict(filename='x.mp4', total_frames=0))
    with pytest.raises(ValueError, match='at least 1, got 0 and 2'):
        SampleTubeClip(clip_len=0)
    with pytest.raises(ValueError, match='at least 1'):
        SampleWholeVideo(frame_interval=0)
