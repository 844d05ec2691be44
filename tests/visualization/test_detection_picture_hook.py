import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssvad.datasets.clip_sampling import whole_video_clips
from ssvad.visualization import draw
from ssvad.visualization.detection_picture_hook import (
    draw_detection,
    frames_of_clips,
)


@given(total=st.integers(1, 40), interval=st.integers(1, 3))
def test_clips_return_to_frame_order(total, interval):
    inds, valid = whole_video_clips(total, 8, interval)
    video = np.arange(total).reshape(total, 1, 1, 1) + np.zeros((1, 2, 2, 3))
    clips = video[inds].reshape(-1, 8, 2, 2, 3).transpose(0, 4, 1, 2, 3)
    assert (frames_of_clips(clips, inds, valid) == video).all()


def test_truth_is_left_and_prediction_right():
    frames = np.full((2, 16, 24, 3), 90, np.uint8)
    truth, prob = np.zeros((2, 16, 24), bool), np.zeros((2, 16, 24), np.float32)
    truth[0, 2:12, 2:12] = True
    prob[1, 4:14, 10:20] = 0.9
    out = draw_detection(frames, truth, prob, ('a', 'b'), scale=2)
    assert out.shape == (2, 32 + 18, 96, 3)
    left, right = out[:, 18:, :48].astype(int), out[:, 18:, 48:].astype(int)
    assert (left[0, 4:24, 4:24, 1] > left[0, 4:24, 4:24, 0]).all()
    assert (left[1] == 90).all() and (right[0] == 90).all()
    # box in white around the red mask
    assert (right[1, 8, 20:40] == draw.WHITE).all()
    assert (right[1, 10:26, 22:38, 0] > right[1, 10:26, 22:38, 1]).all()
