"""Capture: watches a diffusers pipeline at work and writes down what it does."""

from explainer.capture.recorder import Recorder, RunError
from explainer.capture.run import record

__all__ = ["Recorder", "RunError", "record"]
