"""Stages: what each stage of a run means, computed from a trace; no widgets, no hooks."""
