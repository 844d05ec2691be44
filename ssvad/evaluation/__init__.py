"""Evaluation of whole videos: capsule-protocol recall and standard f-/v-mAP."""

from .frame_video_map import FrameVideoMAP

__all__ = ['FrameVideoMAP']
