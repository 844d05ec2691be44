"""From boxes on frames to tubes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion.findings import Findings
from conversion.tracks import clip_box, fit_length, make_tubes, number
from conversion.videos import video_id

INTERPOLATED, GAPS = 'boxes interpolated', 'gaps at which a track is cut'
INSIDE, FLAT = 'boxes clipped to the frame', 'boxes without area in the frame, left out'

pair = st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda p: (p[0], sum(p)))
boxes = st.tuples(pair, pair).map(lambda xy: list(map(float, np.transpose(xy).ravel())))
tracks = st.dictionaries(st.integers(0, 40), st.one_of(boxes, boxes, st.none()))


def cut(track, max_gap):
    findings = Findings()
    tubes = make_tubes(track, 3, max_gap, 'v[0]', findings)
    return tubes, {kind: len(places) for kind, places in findings.items()}


def frames_of(tubes):
    rows = [
        (tube['start'] + i, box)
        for tube in tubes
        for i, box in enumerate(tube['boxes'])
    ]
    assert len({frame for frame, _ in rows}) == len(rows)
    return dict(rows)


@given(tracks)
def test_without_gaps_allowed_tubes_hold_the_given_boxes_and_no_others(track):
    tubes, found = cut(track, 0)
    assert frames_of(tubes) == {f: box for f, box in track.items() if box}
    starts = {tube['start'] for tube in tubes}
    assert starts == {f for f, box in track.items() if box and not track.get(f - 1)}
    assert INTERPOLATED not in found
    assert all(tube['label'] == 3 for tube in tubes)


@given(tracks, st.integers(0, 12))
def test_interpolated_frames_lie_on_the_line_and_never_in_an_absence(track, max_gap):
    tubes, found = cut(track, max_gap)
    got = frames_of(tubes)
    known = {f: box for f, box in track.items() if box}
    assert {f: got[f] for f in known} == known
    new = sorted(set(got) - set(known))
    assert not set(new) & set(track)
    assert found.get(INTERPOLATED, 0) == len(new)
    for frame in new:
        before = max(f for f in track if f < frame)
        after = min(f for f in track if f > frame)
        assert after - before - 1 <= max_gap and track[before]
        ends = [track[before], track[after] or track[before]]
        line = [np.interp(frame, [before, after], pair) for pair in zip(*ends)]
        np.testing.assert_allclose(got[frame], line)
    for frame in range(41):  # and every gap that may be filled is
        sides = [f for f in track if f < frame], [f for f in track if f > frame]
        if frame not in track and all(sides):
            before, after = max(sides[0]), min(sides[1])
            fills = track[before] and after - before - 1 <= max_gap
            assert (frame in got) == bool(fills)


def test_gaps_are_counted():
    box = [0.0, 0.0, 4.0, 4.0]
    track = {0: box, 2: box, 9: box, 10: None, 20: box}
    assert cut(track, 0)[1] == {GAPS: 2}
    assert cut(track, 1)[1] == {GAPS: 1, INTERPOLATED: 1}
    assert cut(track, 6)[1] == {INTERPOLATED: 7}


@pytest.mark.parametrize('box, expected, kind', [
    ([1, 2, 30, 20], [1, 2, 30, 20], None),
    ([0, 0, 40, 30], [0, 0, 40, 30], None),
    ([-1, 2, 41, 20.5], [0, 2, 40, 20.5], INSIDE),
    ([1, 2, 1, 20], None, FLAT),
    ([-9, 2, 0, 20], None, FLAT),
    ([40, 2, 44, 20], None, FLAT),
])  # fmt: skip
def test_boxes_are_clipped(box, expected, kind):
    findings = Findings()
    assert clip_box(box, (40, 30), 'here', 'v[0]', findings) == expected
    assert dict(findings) == ({kind: ['v[0]']} if kind else {})


@pytest.mark.parametrize('box', [[3, 2, 2, 9], [3, 9, 4, 8]])
def test_turned_boxes_are_refused(box):
    with pytest.raises(ValueError, match=r'here: box .* x1 <= x2 and .* got \['):
        clip_box(box, (40, 30), 'here', 'v[0]', Findings())


def test_tubes_are_cut_at_the_end_of_the_video():
    box = [0, 0, 4, 4]
    tubes = [{'label': 0, 'start': start, 'boxes': [box] * 3} for start in (0, 2, 4)]
    findings = Findings()
    fitting = fit_length(tubes, 4, 'v[0]', findings)
    assert [(tube['start'], len(tube['boxes'])) for tube in fitting] == [(0, 3), (2, 2)]
    assert len(findings['boxes past the end of the video, left out']) == 4


@pytest.mark.parametrize(
    'value', ['nan', 'inf', 'a', '', None, True, [1], float('nan')]
)
def test_only_finite_numbers_are_numbers(value):
    assert (number('1.5', 'x'), number(2, 'x')) == (1.5, 2.0)
    with pytest.raises(ValueError, match='^x must be a finite number, got '):
        number(value, 'x')


def test_ids_lose_the_extension_of_a_video_only():
    assert video_id('a/b.c.MP4') == 'a/b.c'
    assert video_id('a/clip.1') == 'a/clip.1'
