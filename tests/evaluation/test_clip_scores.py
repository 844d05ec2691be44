import numpy as np
import pytest

from ssvad.evaluation.clip_scores import (
    classify_boxes_by_clip,
    classify_tracks_by_clip,
    scores_of_frames,
)
from ssvad.evaluation.detections import classify_boxes, classify_tracks, top_classes
from ssvad.evaluation.mask_to_boxes import MaskBoxes
from ssvad.evaluation.tube_linking import link_boxes, link_members
from tests.evaluation.oracles import whole_video_clips


def random_video(num_frames=37, num_classes=6, seed=0):
    """Clip scores of a video, its layout, and a box or none in each frame."""
    rng = np.random.default_rng(seed)
    inds, valid = whole_video_clips(num_frames)
    clip_scores = rng.random((len(inds) // 8, num_classes))
    frame = np.flatnonzero(rng.random(num_frames) > 0.2)
    boxes = np.stack([frame, frame, frame + 30, frame + 20], axis=1).astype(float)
    found = MaskBoxes(frame, boxes, rng.uniform(0.5, 1, len(frame)))
    return clip_scores, inds, valid, found


def test_each_frame_gets_the_scores_of_its_clip():
    clip_scores, inds, valid, _ = random_video()
    scores = scores_of_frames(clip_scores, inds, valid, 37)
    for place, (frame, real) in enumerate(zip(inds, valid)):
        if real:
            np.testing.assert_array_equal(scores[frame], clip_scores[place // 8])


def test_clips_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match='10 frame_inds are not 3 clips'):
        scores_of_frames(np.zeros((3, 2)), np.arange(10), np.ones(10, bool), 10)


def test_boxes_are_ranked_by_their_own_clip():
    clip_scores, inds, valid, found = random_video()
    scores = scores_of_frames(clip_scores, inds, valid, 37)
    boxes = classify_boxes_by_clip(found, 4, scores, topk=2, min_score=0.3)
    rows = list(zip(boxes.video, boxes.frame, boxes.label, boxes.scores))
    expected = [
        (4, frame, label, pytest.approx(scores[frame, label] * prob))
        for frame, prob in zip(found.frame, found.prob)
        for label in top_classes(scores[frame], 2, 0.3)
    ]
    assert rows == expected and len(rows) > len(found.frame)
    np.testing.assert_array_equal(boxes.boxes[:, 0], boxes.frame)


def test_tracks_are_scored_box_by_box():
    clip_scores, inds, valid, found = random_video()
    scores = scores_of_frames(clip_scores, inds, valid, 37)
    linked = link_members(found.frame, found.boxes, found.prob)
    (members,) = linked
    tubes = classify_tracks_by_clip(linked, found, 4, scores, topk=3, min_score=0)
    assert len(tubes) == 3
    for tube in tubes:
        terms = [scores[found.frame[i], tube.label] * found.prob[i] for i in members]
        assert tube.score == pytest.approx(np.mean(terms))
    assert {tube.video for tube in tubes} == {4}


def test_clips_that_agree_give_what_the_video_gives():
    clip_scores, inds, valid, found = random_video()
    clip_scores[:] = clip_scores[0]
    scores = scores_of_frames(clip_scores, inds, valid, 37)
    labels = top_classes(clip_scores[0], 3, 0.1)
    boxes = classify_boxes_by_clip(found, 1, scores, 3, 0.1)
    for got, wanted in zip(boxes, classify_boxes(found, 1, clip_scores[0], labels)):
        np.testing.assert_allclose(got, wanted)
    arrays = found.frame, found.boxes, found.prob
    got = classify_tracks_by_clip(link_members(*arrays), found, 1, scores, 3, 0.1)
    wanted = classify_tracks(link_boxes(*arrays), 1, clip_scores[0], labels)
    assert len(got) == len(wanted) == 3
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one.boxes, other.boxes)
        assert one[:3] == other[:3] and one.score == pytest.approx(other.score)


def test_nothing_found_gives_nothing():
    nothing = MaskBoxes(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))
    assert len(classify_boxes_by_clip(nothing, 0, np.ones((5, 3)), 5, 0).label) == 0
    assert classify_tracks_by_clip([], nothing, 0, np.ones((5, 3)), 5, 0) == []
