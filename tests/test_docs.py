"""What the documents say is so: messages are quoted as they are shown, links lead somewhere."""

import ast
import json
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from explainer import cli
from explainer.limits import VARIABLE, Limits
from storybook import training
from storybook.evaluation import command as evaluating

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
QUOTE = re.compile(r"\*\*`([^`]+)`\*\*")
NOT_OURS = {"Error displaying widget"}
SOURCES = ["explainer/**/*.py", "scripts/*.py", "tests/**/*.py", "storybook/**/*.py"]


def strings_of(path):
    """All texts of a module; what is put into them at run time stands as …"""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "…" for part in node.values
            )


@pytest.fixture(scope="module")
def texts():
    found = [text for glob in SOURCES for path in ROOT.glob(glob) for text in strings_of(path)]
    for glob in ("explainer/**/*.js", "explainer/**/*.html", "explainer/**/*.j2"):
        found += [path.read_text("utf-8") for path in ROOT.glob(glob)]
    return found


def test_every_quoted_message_is_one_that_somebody_is_shown(texts):
    document = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    quotes = [quote for quote in QUOTE.findall(document) if quote not in NOT_OURS]
    assert len(quotes) > 15
    for quote in quotes:
        # A number is written out where the source puts one in.
        pieces = [piece.strip() for piece in re.split(r"…|\d+", quote) if len(piece.strip()) > 5]
        assert any(all(piece in text for piece in pieces) for text in texts), quote


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_to_files(path):
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (path.parent / unquote(target)).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_the_program_has(path):
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), flags=re.DOTALL)
    inline = re.findall(r"`((?:\.venv/bin/)?explainer [^`]+)`", path.read_text("utf-8"))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    helps = {}
    for line in [*lines, *inline]:
        words = shlex.split(line, comments=True)
        if not words or words[0].removeprefix(".venv/bin/") != "explainer" or len(words) < 2:
            continue
        command = words[1]
        if not command.islower():
            continue
        helps.setdefault(command, help_of(command))
        for option in (word for word in words[2:] if word.startswith("--")):
            assert option.split("=")[0] in helps[command], line


def help_of(command):
    apart = {"train": training, "evaluate": evaluating}
    if command in apart:
        return apart[command]._parser().format_help()
    parser = cli._parser()
    (commands,) = [one for one in parser._actions if hasattr(one, "choices") and one.choices]
    return commands.choices[command].format_help()


@pytest.mark.parametrize("name", ["jupyterhub", "binderhub"])
def test_the_charts_values_hold_limits_that_the_kernels_understand(monkeypatch, name):
    values = yaml.safe_load((ROOT / "docs" / "kubernetes" / f"{name}.yaml").read_text("utf-8"))
    reader = values.get("jupyterhub", values)["singleuser"]
    monkeypatch.setenv(VARIABLE, reader["extraEnv"][VARIABLE])
    limits = Limits.from_environment()
    assert limits.models == ()
    assert json.loads(reader["extraEnv"][VARIABLE])["seconds"] == limits.seconds
    assert not any(reader["networkPolicy"]["egressAllowRules"].values())
    assert reader["storage"] == {"type": "none"}


def test_a_binderhub_builds_this_repository_alone():
    values = yaml.safe_load((ROOT / "docs" / "kubernetes" / "binderhub.yaml").read_text("utf-8"))
    (snippet,) = values["extraConfig"].values()
    (providers,) = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Dict)]
    assert "c.BinderHub.repo_providers = {" in snippet
    assert [key.value for key in providers.keys] == ["gh"]
    (allowed,) = values["config"]["GitHubRepoProvider"]["allowed_specs"]
    assert re.match(allowed, "ORG/storybook-explainer/HEAD")
    assert not re.match(allowed, "ORG/storybook-explainer-2/HEAD")


def test_both_charts_give_a_reader_the_same():
    one, other = (
        yaml.safe_load((ROOT / "docs" / "kubernetes" / f"{name}.yaml").read_text("utf-8"))
        for name in ("jupyterhub", "binderhub")
    )
    inside = other["jupyterhub"]
    assert inside["cull"] == one["cull"]
    for name, value in inside["singleuser"].items():
        assert one["singleuser"][name] == value
