"""Stages: what each stage of a run means, computed from a trace or with a pipeline; no widgets."""
