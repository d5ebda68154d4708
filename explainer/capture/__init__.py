"""Capture: watches a diffusers pipeline at work and writes down what it does.

It stands on its own, for your own notebook and your own model:

    import torch
    from diffusers import StableDiffusionXLPipeline
    from explainer.capture import Recorder, resume

    name = "stabilityai/stable-diffusion-xl-base-1.0"
    pipe = StableDiffusionXLPipeline.from_pretrained(name, torch_dtype=torch.float16).to("cuda")
    with Recorder(pipe, previews="linear", attention=True) as recorder:
        image = pipe("a fox on the beach", generator=torch.Generator().manual_seed(7)).images[0]
    recorder.trace.save("fox.trace")
    bear = resume(pipe, recorder.trace, 20, prompt="a bear on the beach").image()
"""

from explainer.capture.activations import ActivationWatch
from explainer.capture.attention import AttentionWatch
from explainer.capture.errors import RunError
from explainer.capture.recorder import Recorder
from explainer.capture.replaying import Replayed, replay, resume
from explainer.capture.run import record

__all__ = [
    "ActivationWatch",
    "AttentionWatch",
    "Recorder",
    "Replayed",
    "RunError",
    "record",
    "replay",
    "resume",
]
