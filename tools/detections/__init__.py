"""Reading what other detectors wrote, for `eval_detections.py`."""
