"""Tubes of a stream are those of the whole video, and little is kept for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.apis import StreamedBlock
from ssvad.apis.tube_collector import TubeCollector, tube_evaluator
from ssvad.evaluation import FrameVideoMAP
from ssvad.evaluation.detections import classify_tracks, top_classes
from ssvad.evaluation.mask_to_boxes import MaskBoxes
from ssvad.evaluation.standard_records import detections_of
from ssvad.evaluation.tube_linking import link_boxes
from ssvad.evaluation.tubes import nms_tubes


def crowd(seed, num_frames, num_actors=4, blink=0.3, noise=0.5):
    """Boxes of actors that walk, blink and cross, with noise; coarse scores tie."""
    rng = np.random.RandomState(seed)
    frames, boxes, probs = [], [], []
    for frame in range(num_frames):
        places = [
            10 + 3 * actor + 8 * np.sin([0.05 * (actor + 1) * frame, 0.03 * frame])
            for actor in range(num_actors)
            if rng.rand() > blink and (frame // (20 + 9 * actor)) % 3 < 2
        ]
        places += [40 * rng.rand(2)] * (rng.rand() < noise)
        for place in places:
            size = rng.randint(6, 9, 2)
            frames.append(frame)
            boxes.append([*place, *(place + size)])
            probs.append(rng.randint(5, 10) / 10)
    return MaskBoxes(
        np.array(frames, np.int32),
        np.array(boxes, float).reshape(-1, 4),
        np.array(probs, float),
    )


def feed(collector, found, num_frames, step, look=lambda: None):
    for start in range(0, num_frames, step):
        collector.num_frames = min(start + step, num_frames)
        part = (found.frame >= start) & (found.frame < start + step)
        collector.add_boxes(MaskBoxes(*(values[part] for values in found)))
        look()


def as_set(tracks):
    return sorted((t.start, t.boxes.tolist(), t.score) for t in tracks)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    num_frames=st.integers(1, 150),
    step=st.integers(1, 40),
    patience=st.integers(1, 60),
    linker=st.fixed_dictionaries(
        dict(
            iou_thr=st.sampled_from([0.1, 0.3, 0.6]),
            max_gap=st.integers(1, 9),
            min_len=st.integers(1, 20),
            topk=st.integers(1, 6),
            min_score=st.sampled_from([None, 0.6, 0.7]),
            min_end_score=st.sampled_from([None, 0.6, 0.8]),
        )
    ),
)
def test_forgetting_changes_no_track(seed, num_frames, step, patience, linker):
    found = crowd(seed, num_frames)
    collector = TubeCollector(FrameVideoMAP(linker=linker), patience)
    feed(collector, found, num_frames, step)
    kept = collector.boxes()
    assert as_set(link_boxes(*kept, **linker)) == as_set(link_boxes(*found, **linker))
    # nothing but members of tracks that are long enough, or may become so
    assert len(kept.frame) <= len(found.frame)


def test_memory_follows_what_is_open_not_the_video():
    found = crowd(0, 6000, num_actors=2, blink=0.9, noise=1.0)
    collector = TubeCollector(FrameVideoMAP(linker=dict(max_gap=2)), patience=64)
    sizes = []
    feed(collector, found, 6000, 16, lambda: sizes.append(collector.num_boxes))
    assert max(sizes) < 150 < len(found.frame) / 40


def test_long_tracks_are_not_linked_again_with_every_block():
    evaluator, calls = FrameVideoMAP(), []
    linking = evaluator.link_members

    def counted(frames, boxes, scores, max_gap=5, min_len=15, **whole):
        calls.append(len(frames))
        return linking(frames, boxes, scores, min_len=min_len)

    evaluator.link_members = counted
    frames = np.arange(4000, dtype=np.int32)
    boxes = np.tile([0.0, 0, 9, 9], (4000, 1))
    collector = TubeCollector(evaluator, patience=16)
    feed(collector, MaskBoxes(frames, boxes, np.ones(4000)), 4000, 16)
    assert sum(calls) < 4 * 4000


def blocks(num_frames, seed=0, num_classes=7):
    """Masks of two squares that move, in blocks of 16 as they are streamed."""
    rng = np.random.RandomState(seed)
    mask = np.zeros((num_frames, 40, 64), np.float32)
    for f in range(num_frames):
        for k, (top, left) in enumerate(((4, 6 + f // 3), (22, 50 - f // 2))):
            if (f // 30 + k) % 3 != 2 and rng.rand() > 0.1:
                value = 0.5 + rng.rand() / 2
                mask[f, top : top + 12, max(left, 0) : left + 12] = value
    scores = rng.rand(-(-num_frames // 16), 2, num_classes).astype(np.float32)
    crop = np.array([0.1, 0.2, 0.7, 0.8], np.float32)
    return [
        StreamedBlock(np.arange(s, min(s + 16, num_frames)), mask[s : s + 16],
                      scores[s // 16], (120, 160), crop)
        for s in range(0, num_frames, 16)
    ]  # fmt: skip


def evaluated(evaluator, stream):
    """The tubes that the evaluation makes of the whole video at once."""
    num_frames = int(stream[-1].frame_inds[-1]) + 1
    inds = np.arange(16 * len(stream)).reshape(-1, 8, 2).swapaxes(1, 2).ravel()
    record = evaluator.reduce(
        dict(
            video_id='v',
            total_frames=num_frames,
            frame_inds=np.minimum(inds, num_frames - 1),
            frame_valid=inds < num_frames,
            original_shape=stream[0].original_shape,
            crop_quadruple=stream[0].crop_quadruple,
            gt_tubes=np.zeros((0, num_frames, 4)),
            tube_labels=np.zeros(0, int),
            pred_mask=np.concatenate([block.mask for block in stream]),
            pred_clip_scores=np.concatenate([block.clip_scores for block in stream]),
        )
    )
    found = evaluator.topk_classes, evaluator.min_class_score, evaluator.link_members
    _, _, tubes = detections_of([record], *found)
    labels = np.array([tube.label for tube in tubes])
    if evaluator.convention.tube_nms is None:
        return tubes
    return nms_tubes(tubes, evaluator.convention.tube_nms, evaluator.convention, labels)


@pytest.mark.parametrize('num_frames', [16, 41, 97])
@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(class_score='clip', linker=dict(min_len=4)),
        dict(topk_classes=2, min_class_score=0.5, convention='yowo'),
        dict(mask_to_box=dict(thr=0.7, min_area=4), convention=dict(tube_nms=None)),
    ],
)
def test_tubes_are_those_of_the_evaluation(num_frames, changes):
    settings = dict(protocol='standard', linker=dict(min_len=8), **{})
    evaluator = FrameVideoMAP(**{**settings, **changes})
    stream = blocks(num_frames)
    collector = TubeCollector(evaluator, patience=8)
    for block in stream:
        collector.add(block)
    ours, theirs = collector.tubes(), evaluated(evaluator, stream)
    assert len(ours) == len(theirs) > 0

    def in_order(tubes):
        return sorted(tubes, key=lambda t: (t.label, t.start, t.boxes.tolist()))

    for a, b in zip(in_order(ours), in_order(theirs)):
        assert (a.label, a.start) == (b.label, b.start)
        assert np.array_equal(a.boxes, b.boxes)
        assert a.score == pytest.approx(b.score, rel=1e-12)
    scores = [tube.score for tube in ours]
    assert scores == sorted(scores, reverse=True)


def test_one_of_two_nested_tubes_is_suppressed():
    mask = np.zeros((40, 64), np.float32)
    mask[4:34, 10:40] = 0.9
    mask[6:32, 12:38] = 0
    mask[8:30, 14:36] = 0.8
    stream = [block._replace(mask=np.stack([mask] * 16)) for block in blocks(32)]
    for convention, left in (('act', 1), ('multisports', 2)):
        evaluator = FrameVideoMAP(protocol='standard', convention=convention)
        collector = TubeCollector(evaluator)
        for block in stream:
            collector.add(block)
        tubes = collector.tubes()
        assert len(tubes) == len(evaluated(evaluator, stream)) == 5 * left
        assert tubes[0].score == max(tube.score for tube in tubes)


def test_nothing_found_is_no_tube():
    collector = TubeCollector(FrameVideoMAP(class_score='clip'))
    for block in blocks(20):
        collector.add(block._replace(mask=0 * block.mask))
    assert collector.tubes() == [] and collector.num_frames == 20


def test_evaluator_of_a_config_and_changes():
    configured = [
        dict(type='VOSMetric'),
        dict(
            type='FrameVideoMAP',
            ann_file='gone.json',
            linker=dict(min_len=8, max_gap=3),
            topk_classes=2,
        ),
    ]
    found = tube_evaluator(configured, dict(linker=dict(max_gap=4)))
    assert found.link.keywords == dict(min_len=8, max_gap=4)
    assert found.topk_classes == 2 and found.ann_file is None
    assert configured[1]['linker'] == dict(min_len=8, max_gap=3)
    for kind in (FrameVideoMAP, 'mmaction.FrameVideoMAP'):
        found = tube_evaluator(dict(configured[1], type=kind), {})
        assert found.topk_classes == 2
    assert tube_evaluator(None, {}).topk_classes == FrameVideoMAP().topk_classes
    with pytest.raises(ValueError, match=r"got \['iou_thr'\]"):
        tube_evaluator(configured, dict(iou_thr=0.5))


def test_classes_and_tracks_are_multiplied_out():
    collector = TubeCollector(FrameVideoMAP(linker=dict(min_len=4)))
    for block in blocks(64):
        collector.add(block)
    mean = collector.mean.mean
    labels = top_classes(mean, 5, 0.005)
    tracks = collector.evaluator.link(*collector.boxes())
    expected = classify_tracks(tracks, 0, mean, labels)
    assert len(collector.tubes()) == len(expected) == 5 * len(tracks) > 5
