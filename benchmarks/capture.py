"""What capture costs: the time of a recorded run over the time of plain diffusers.

    python benchmarks/capture.py                  both models, one after the other, and the others
    python benchmarks/capture.py --model FOLDER   another model
    python benchmarks/capture.py --sd15           only random weights of Stable Diffusion 1.5's size
    options: [--steps N] [--rounds 5] [--threads N] [--kinds ...] [--others ...]

Every round does each kind of run once, in turn, so that a machine whose speed drifts favours none.
The ratios are those of a round, and their median is printed with the smallest and largest. Runs
with capture go from the call to the trace in a file. The UNet of Stable Diffusion 1.5's size has
random weights and draws 512 x 512: 860 million parameters, which take 3.5 GB.

Each model, and each other tool that is installed, is measured in a process of its own, so that peak
memory is its own and nothing that a tool leaves behind slows the next one.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch
import transformers

import explainer

PROMPT = (
    "a little girl with red hair and a blue dress walks through an enchanted forest, "
    "soft watercolour"
)
KINDS: dict[str, dict[str, Any]] = {
    "latents, noise, x0": {"previews": False},
    "with attention": {"previews": False, "attention": True},
    "with linear previews": {"previews": "linear"},
    "x0 decoded, noisy linear": {"previews": {"x0": "full", "noisy": "linear"}},
    "all decoded": {"previews": True},
    "inside the denoiser": {"previews": False, "activations": True},
}
SD15 = "random weights of Stable Diffusion 1.5's size"
STEPS = {SD15: 4}


class Measured(NamedTuple):
    """Runs of one kind: seconds of each round, bytes of the file, peak memory so far in MiB."""

    seconds: list[float]
    size: int
    memory: float


def main() -> None:
    """Print a line for each kind of run."""
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.other:
        _measure_other(options.other, options)
    elif options.model or options.sd15:
        _measure(options)
        for other in options.others:
            if find_spec(other) is None:
                print(f"{other}: not installed here", flush=True)
            else:
                _in_its_own_process("--other", other)
    else:
        _in_its_own_process()
        _in_its_own_process("--sd15")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", help="hub id or folder of one model")
    model.add_argument("--sd15", action="store_true", help=f"only {SD15}")
    parser.add_argument("--steps", type=int, help="25 if not given, 4 of the large one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="torch's; its own choice if not given")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--others", nargs="*", choices=OTHERS, default=list(OTHERS))
    parser.add_argument("--other", choices=OTHERS, help="measure this tool in place of ours")
    return parser.parse_args()


def _in_its_own_process(*more: str) -> None:
    chosen = [] if {"--model", "--sd15"} & {*sys.argv, *more} else ["--model", "embedded"]
    subprocess.run([sys.executable, __file__, *sys.argv[1:], *chosen, *more], check=False)


def _name(options: argparse.Namespace) -> str:
    return SD15 if options.sd15 else str(options.model)


def _loaded(options: argparse.Namespace) -> Any:
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
    if options.sd15:
        return stable_diffusion_15()
    return explainer.load(None if options.model == "embedded" else options.model)


def stable_diffusion_15() -> Any:
    """The embedded pipeline with a UNet and latents of Stable Diffusion 1.5's size."""
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    small = explainer.load()
    words = small.tokenizer
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            max_position_embeddings=words.model_max_length,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    # The decoder is smaller than the real one: it takes part in no step.
    vae = AutoencoderKL(
        block_out_channels=(16, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=512,
    )
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    pipe = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=encoder.eval(),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=small.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(small.device)


def _measure(options: argparse.Namespace) -> None:
    pipe, steps = _loaded(options), options.steps or STEPS.get(_name(options), 25)
    print(
        f"{_name(options)}, {steps} steps, guidance 5, {pipe.device.type}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.trace"
        runs = {"plain": lambda: plain(pipe, steps)} | {
            kind: _captured(pipe, steps, path, KINDS[kind]) for kind in options.kinds
        }
        firsts = {name: _first(run, path) for name, run in runs.items()}
        rounds = [
            {name: _seconds(run) for name, run in runs.items()} for _ in range(options.rounds)
        ]
    for name in runs:
        seconds = [one[name] for one in rounds]
        ratios = [one[name] / one["plain"] for one in rounds]
        _report(name, Measured(seconds, *firsts[name]), ratios)
    sys.stdout.flush()


def plain(pipe: Any, steps: int) -> Any:
    """The picture that diffusers alone draws."""
    generator = torch.Generator("cpu").manual_seed(7)
    return pipe(PROMPT, num_inference_steps=steps, guidance_scale=5.0, generator=generator).images[
        0
    ]


def _captured(pipe: Any, steps: int, path: Path, options: dict[str, Any]) -> Callable[[], object]:
    def run() -> None:
        explainer.record(pipe, PROMPT, seed=7, steps=steps, guidance_scale=5.0, **options).save(
            path
        )

    return run


def _first(run: Callable[[], object], path: Path) -> tuple[int, float]:
    """Does a run once; returns the bytes that it wrote and the peak memory since the start."""
    path.unlink(missing_ok=True)
    run()
    return path.stat().st_size if path.exists() else 0, _peak_memory()


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _report(name: str, measured: Measured, ratios: list[float]) -> None:
    print(
        f"{name:26} {statistics.median(measured.seconds):7.2f} s   "
        f"× {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})   "
        f"peak so far {measured.memory:.0f} MiB"
        + (f"   file {measured.size / 2**20:.2f} MiB" if measured.size else "")
    )


def _peak_memory() -> float:
    """Return the most memory taken since the start, in MiB: the GPU's if it computes there."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _measure_other(name: str, options: argparse.Namespace) -> None:
    """Compare another tool with plain diffusers: first rounds without it, then rounds with it."""
    warnings.simplefilter("ignore")
    steps = options.steps or STEPS.get(_name(options), 25)
    try:
        with contextlib.redirect_stdout(sys.stderr), OTHERS[name](_loaded(options)) as (pipe, run):
            before, bare = plain(pipe, steps), _rounds(lambda: plain(pipe, steps), options.rounds)
            after, with_it = run(steps), _rounds(lambda: run(steps), options.rounds)
    except ImportError as error:
        print(f"{name}: not measured, it cannot be imported here ({error})")
    except Exception as error:  # noqa: BLE001 - whatever stops a foreign tool is the finding
        print(f"{name}: not measured, it stops with {type(error).__name__}: {error}")
    else:
        apart = np.abs(np.asarray(before, np.int16) - np.asarray(after, np.int16)).max()
        same = "the same picture" if apart == 0 else f"another picture, up to {apart} of 255 apart"
        ratio = statistics.median(with_it) / statistics.median(bare)
        print(
            f"{name:26} {statistics.median(with_it):7.2f} s   × {ratio:.3f}   "
            f"peak {_peak_memory():.0f} MiB   {same}"
        )


def _rounds(run: Callable[[], object], count: int) -> list[float]:
    return [_seconds(run) for _ in range(count)]


# Each gives the pipeline to compare with, and a function from the number of steps to the picture.
Other = tuple[Any, Callable[[int], Any]]


@contextmanager
def _daam(pipe: Any) -> Iterator[Other]:
    """Heat maps of all words, DAAM (Tang et al. 2023)."""
    from daam import trace

    def run(steps: int) -> Any:
        with torch.no_grad(), trace(pipe) as heat:
            picture = plain(pipe, steps)
            heat.compute_global_heat_map()
        return picture

    yield pipe, run


@contextmanager
def _attention_map_diffusers(pipe: Any) -> Iterator[Other]:
    """Cross-attention maps of every layer, head and step."""
    from attention_map_diffusers import AttentionCapture

    def run(steps: int) -> Any:
        with AttentionCapture(pipe, timesteps="all") as capture:
            picture = plain(pipe, steps)
            capture.compute()
        return picture

    yield pipe, run


@contextmanager
def _nnsight(pipe: Any) -> Iterator[Other]:
    """Noise predictions of every step; nnsight loads the model from a folder itself."""
    import nnsight
    from nnsight.modeling.diffusion import DiffusionModel

    with tempfile.TemporaryDirectory() as folder:
        pipe.save_pretrained(folder)
        model = DiffusionModel(folder, dispatch=True, safety_checker=None)
    model.pipeline.set_progress_bar_config(disable=True)

    def run(steps: int) -> Any:
        with model.generate(
            PROMPT, num_inference_steps=steps, guidance_scale=5.0, seed=7
        ) as tracer:
            seen = nnsight.save([])
            for _ in tracer.iter[:steps]:
                seen.append(model.unet.output[0])
            drawn = tracer.result.save()
        return drawn.images[0]

    yield model.pipeline, run


OTHERS = {
    "daam": _daam,
    "attention_map_diffusers": _attention_map_diffusers,
    "nnsight": _nnsight,
}

if __name__ == "__main__":
    main()
