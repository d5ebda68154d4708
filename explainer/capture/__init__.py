"""Capture: watches a diffusers pipeline at work and writes down what it does."""

from explainer.capture.attention import AttentionWatch
from explainer.capture.recorder import Recorder, RunError
from explainer.capture.replay import Replayed, replay, resume
from explainer.capture.run import record

__all__ = ["AttentionWatch", "Recorder", "Replayed", "RunError", "record", "replay", "resume"]
