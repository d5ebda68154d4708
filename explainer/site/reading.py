"""Reading in the browser: sentences that are typed into an exported page are cut into tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from explainer.widgets.host import script_json

_HERE = Path(__file__).parent


def facts(file: dict[str, Any], length: int, padding: int) -> dict[str, Any]:
    """Return what `live/tokenizer.js` needs to know.

    Args:
        file: What stands in a tokenizer.json.
        length: How many tokens the text encoder reads, which the file may leave out.
        padding: Number of the token that fills the rest.
    """
    names = ("added_tokens", "pre_tokenizer", "post_processor", "model")
    kept = {name: file[name] for name in names}
    return kept | {"truncation": {"max_length": length}, "padding": {"pad_id": padding}}


def facts_of_folder(weights: Path) -> dict[str, Any]:
    """Return the same of a model in diffusers' layout."""
    folder = weights / "tokenizer"
    file = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    numbers = file["model"]["vocab"] | {one["content"]: one["id"] for one in file["added_tokens"]}
    return facts(file, int(settings["model_max_length"]), int(numbers[settings["pad_token"]]))


def script() -> str:
    """Return the script of a page whose sentences are read in the browser."""
    names = ("live/tokenizer.js", "sentences.js")
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


def element(weights: Path) -> str:
    """Return the element of a page that holds the tokenizer."""
    tokenizer = script_json(facts_of_folder(weights))
    return f'<script type="application/json" id="tokenizer">{tokenizer}</script>'
