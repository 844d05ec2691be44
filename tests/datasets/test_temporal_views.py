import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from ssvad.datasets.clip_sampling import clip_around, released_clip_around
from ssvad.datasets.temporal_views import KINDS, RandomTiming, frames_at

few = settings(max_examples=60, deadline=None)


def clip(centre=30, total_frames=60, clip_len=8, frame_interval=2, at=clip_around):
    frame_inds, interval = at(centre, total_frames, clip_len, frame_interval)
    return dict(
        frame_inds=frame_inds,
        frame_interval=interval,
        total_frames=total_frames,
        clip_len=clip_len,
        num_clips=1,
    )


def change(results, kind, seed=0):
    np.random.seed(seed)
    return RandomTiming([kind])(dict(results))['frame_inds']


anywhere = st.integers(4, 40).flatmap(
    lambda total: st.builds(
        clip,
        st.integers(0, total - 1),
        st.just(total),
        st.integers(1, 9),
        st.integers(1, 3),
    )
)


@few
@given(results=anywhere, seed=st.integers(0, 1000))
def test_changed_clips_stay_in_their_window(results, seed):
    before = results['frame_inds'].copy()
    count, interval = len(before), results['frame_interval']
    assert np.array_equal(change(results, 'regular', seed), before)
    assert np.array_equal(change(results, 'reversed', seed), before[::-1])
    found = change(results, 'irregular', seed)
    assert found.shape == before.shape and found.dtype == before.dtype
    assert np.array_equal(results['frame_inds'], before)
    last = results['total_frames'] - 1
    assert before[0] <= found.min() and found.max() <= last
    if count > last + 1:  # a clip longer than its video repeats the last frame
        assert np.array_equal(found, before)
    else:
        assert (np.diff(found) > 0).all()
        window = max(count, (count - 1) * interval)
        assert found.max() < before[0] + window
        if interval == 1:
            assert np.array_equal(found, before)


def test_irregular_frames_are_drawn_from_the_first_fourteen():
    results = clip()
    start = results['frame_inds'][0]
    drawn = [change(results, 'irregular', seed) - start for seed in range(300)]
    # offsets 0 to 13, each in 8 of 14 clips
    shares = np.bincount(np.concatenate(drawn)) / len(drawn)
    assert len(shares) == 14
    assert shares == pytest.approx([8 / 14] * 14, abs=0.12)
    assert all(len(set(offsets)) == 8 for offsets in drawn)


@pytest.mark.parametrize('centre', [0, 3, 29, 30, 57, 59])
@pytest.mark.parametrize('total_frames', [12, 13, 60])
def test_released_clips_that_go_round_the_end(centre, total_frames):
    results = clip(min(centre, total_frames - 1), total_frames, at=released_clip_around)
    start, interval = results['frame_inds'][0], results['frame_interval']
    window = [(start + offset) % total_frames for offset in range(8 * interval)]
    assert list(results['frame_inds']) == window[::interval]
    frames = frames_at(
        np.arange(8 * interval), results['frame_inds'], interval, total_frames
    )
    assert list(frames) == window
    rest = iter(window)
    found = change(results, 'irregular', seed=centre)
    assert len(found) == 8 and all(frame in rest for frame in found)


def test_kinds_are_equally_likely_and_seeded():
    results = clip()
    changed = {kind: 0 for kind in KINDS}
    for seed in range(900):
        np.random.seed(seed)
        first = TRANSFORMS.build(dict(type='RandomTiming'))(dict(results))['frame_inds']
        np.random.seed(seed)
        assert np.array_equal(RandomTiming()(dict(results))['frame_inds'], first)
        steps = set(np.diff(first))
        changed['irregular' if len(steps) > 1 else KINDS[steps == {-2} and 2]] += 1
    assert list(changed.values()) == pytest.approx([300] * 3, abs=54)


@pytest.mark.parametrize('key', ['video_reader', 'imgs'])
def test_frames_that_were_read_cannot_change(key):
    with pytest.raises(ValueError, match='already read.*before'):
        RandomTiming()(dict(clip(), **{key: []}))


def test_several_clips_are_refused():
    with pytest.raises(ValueError, match='one clip.*got 3'):
        RandomTiming()(dict(clip(), num_clips=3))


@pytest.mark.parametrize('kinds', [[], ['regular', 'shuffled'], 'reversed'])
def test_unknown_kinds_are_refused(kinds):
    with pytest.raises(ValueError, match="'regular'"):
        RandomTiming(kinds)
