import numpy as np
import pytest

from ssvad.evaluation.tube_linking import link_boxes, link_members
from ssvad.evaluation.tubes import Tube
from ssvad.evaluation.video_ap import video_ap
from tests.evaluation import golden


def moving(frames, speed=1.0, x=0.0):
    x = x + speed * np.asarray(frames, float)
    return np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=1)


def link(frames, boxes=None, scores=None, **kwargs):
    boxes = moving(frames) if boxes is None else boxes
    scores = np.ones(len(frames)) if scores is None else np.array(scores)
    return link_boxes(np.array(frames), boxes, scores, **{'min_len': 1, **kwargs})


def test_flicker_is_bridged_and_interpolated():
    frames = [3, 5, 7, 9, 13]
    (track,) = link(frames, scores=[0.5, 0.7, 0.9, 0.5, 0.4])
    assert track.start == 3
    np.testing.assert_allclose(track.boxes, moving(range(3, 14)))
    assert track.score == pytest.approx(0.6)


@pytest.mark.parametrize(('distance', 'num_tracks'), [(5, 1), (6, 2)])
def test_max_gap_is_the_largest_distance_of_linked_frames(distance, num_tracks):
    assert len(link([0, distance], speed_zero(2), max_gap=5)) == num_tracks


def speed_zero(num):
    return moving(range(num), speed=0)


def test_iou_threshold_is_inclusive():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], float)
    assert len(link([0, 1], boxes, iou_thr=0.5)) == 1
    assert len(link([0, 1], boxes, iou_thr=0.51)) == 2


def test_two_actors_stay_apart():
    frames = list(range(20)) * 2
    boxes = np.concatenate([moving(range(20)), moving(range(20), x=100)])
    tracks = link(frames, boxes)
    assert sorted(track.boxes[0, 0] for track in tracks) == [0, 100]
    assert [len(track.boxes) for track in tracks] == [20, 20]


def test_better_track_chooses_first_and_takes_the_better_box():
    # both boxes of frame 1 overlap both tracks; the strong track takes the strong box
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [0, 0, 10, 10.0]])
    tracks = link([0, 0, 1, 1], boxes, [0.9, 0.2, 0.3, 0.8])
    by_score = sorted(tracks, key=lambda track: track.score)
    assert [t.score for t in by_score] == pytest.approx([0.25, 0.85])
    np.testing.assert_array_equal(by_score[1].boxes, boxes[[0, 3]])


def test_topk_keeps_the_best_boxes_of_a_frame():
    boxes = np.concatenate([moving([0], x=50 * i) for i in range(4)])
    tracks = link([0] * 4, boxes, [0.1, 0.4, 0.3, 0.2], topk=2)
    assert sorted(track.score for track in tracks) == [0.3, 0.4]


def test_short_tracks_are_dropped():
    assert len(link(range(15), min_len=15)) == 1
    assert link(range(14), min_len=15) == []


def test_no_boxes_no_tracks():
    assert link_boxes(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0)) == []


def test_bridging_and_looser_links_find_more_of_interrupted_actors():
    # the ablation of the whole test split, in small: each step finds more
    det = golden.det_boxes()
    values = []
    for max_gap, iou_thr in ((1, 0.5), (3, 0.5), (5, 0.5), (5, 0.3)):
        tubes = []
        for video, label in np.unique([det.video, det.label], axis=1).T:
            one = det.take(np.flatnonzero((det.video == video) & (det.label == label)))
            tracks = link_boxes(
                *(one.frame, one.boxes, one.scores), iou_thr=iou_thr, max_gap=max_gap
            )
            tubes += [Tube(video, label, *track) for track in tracks]
        values.append(100 * video_ap(golden.gt_tubes(), tubes, 24, [0.2]).mean())
    np.testing.assert_allclose(values, [29.97, 49.52, 53.36, 58.65], atol=0.01)


def test_members_are_the_boxes_of_the_tracks():
    rng = np.random.default_rng(0)
    frames = np.repeat(np.arange(60), 2)[rng.random(120) > 0.3]
    boxes = moving(frames, x=100 * rng.integers(2, size=len(frames)))
    scores = rng.random(len(frames))
    how = dict(min_len=3, min_end_score=0.6)
    tracks = link_boxes(frames, boxes, scores, **how)
    members = link_members(frames, boxes, scores, **how)
    assert len(tracks) == len(members) > 1
    assert len(np.unique(np.concatenate(members))) == sum(map(len, members))
    for track, linked in zip(tracks, members):
        assert track.start == frames[linked[0]]
        np.testing.assert_allclose(
            track.boxes[frames[linked] - track.start], boxes[linked]
        )
        assert track.score == pytest.approx(scores[linked].mean())
        assert scores[linked[[0, -1]]].min() >= 0.6 > scores[linked].min()


def test_weak_ends_are_cut_and_weak_boxes_inside_stay():
    scores = [0.5, 0.6, 0.9, 0.5, 0.5, 0.8, 0.7, 0.6]
    (track,) = link(range(8), scores=scores, min_end_score=0.7)
    assert (track.start, len(track.boxes)) == (2, 5)
    assert track.score == pytest.approx(np.mean(scores[2:7]))
    (whole,) = link(range(8), scores=scores)
    assert (whole.start, len(whole.boxes)) == (0, 8)


def test_length_counts_after_the_ends_are_cut():
    scores = [0.5] * 5 + [0.9] * 10
    assert len(link(range(15), scores=scores, min_len=10, min_end_score=0.9)) == 1
    assert link(range(15), scores=scores, min_len=11, min_end_score=0.9) == []
    assert link(range(15), scores=scores, min_end_score=0.95) == []


def test_cut_begin_moves_a_track_behind_another():
    frames = [*range(10), *range(3, 10)]
    boxes = np.concatenate([moving(range(10)), moving(range(7), x=100)])
    tracks = link(frames, boxes, [0.1] * 6 + [1] * 11, min_end_score=0.5)
    assert [track.start for track in tracks] == [3, 6]
