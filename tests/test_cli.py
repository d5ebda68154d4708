"""The command line, run as a reader runs it."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import nbformat
import pytest

from explainer import cli, serving
from explainer.trace import Trace
from tests import tiny
from tests.servers import COMMAND, jupyterlab, server


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.save_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    for name in ("00_first", "01_second"):
        cells = [
            nbformat.v4.new_markdown_cell(f"# Page {name}"),
            nbformat.v4.new_code_cell("secret = 6 * 7\nprint(f'computed {secret}')"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(page, folder / f"{name}.ipynb")
    return folder


def fetched(address):
    with urlopen(address, timeout=60) as answer:
        return answer.geturl(), answer.read().decode()


@pytest.fixture(scope="module")
def served(notebooks, tmp_path_factory):
    """The pages, served while the port asked for is in use: their address, that port, the log."""
    folder = tmp_path_factory.mktemp("served")
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--no-browser", "--port", str(port), "--notebooks", str(notebooks)]
        with server(folder, ["serve", *options], r"http://\S+/") as address:
            yield address, port, folder / "log"


def test_the_bare_address_leads_to_the_first_page(served):
    url, page = fetched(served[0])
    assert url.endswith("/voila/render/00_first.ipynb")
    assert "computed 42" in page


def test_a_page_shows_no_code(served):
    _, page = fetched(f"{served[0]}voila/render/01_second.ipynb")
    assert "computed 42" in page
    assert "secret" not in page


def test_a_page_loads_nothing_from_elsewhere(served):
    _, page = fetched(served[0])
    links = re.findall(r"<(?:link|script|img)\b[^>]*?(?:href|src)=[\"']?(https?:)?//", page)
    assert links == []


def test_a_port_in_use_is_passed_over(served):
    address, port, log = served
    assert f"Port {port} is in use, so this takes" in log.read_text()
    assert f":{port}/" not in address


def test_jupyterlab_opens_at_the_first_page(notebooks, tmp_path):
    with jupyterlab(tmp_path, notebooks) as address:
        assert "/lab/tree/00_first.ipynb" in address
        _, page = fetched(address)
    assert "JupyterLab" in page


def test_recording_leaves_a_trace(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--seed", "3", "--steps", "2", "--model", str(model), "--negative-prompt", "rain"]
    assert cli.main(["record", "A fox, in the snow!", *options]) == 0
    trace = Trace.load(tmp_path / "a-fox-in-the-snow.trace")
    assert (trace.prompt, trace.negative_prompt) == ("A fox, in the snow!", "rain")
    assert (trace.seed, trace.steps, trace.guidance_scale) == (3, 2, 7.5)
    assert "ex.widgets.Player" in capsys.readouterr().out


def test_a_folder_that_is_there_gets_the_trace(model, tmp_path):
    options = ["--steps", "1", "--model", str(model), "--no-previews", "--no-attention"]
    assert cli.main(["record", "A fox!", *options, "-o", str(tmp_path)]) == 0
    assert Trace.load(tmp_path / "a-fox.trace").prompt == "A fox!"


def test_what_is_not_given_is_what_the_model_was_made_for(tmp_path):
    """Of one prompt and of a list, a distilled model and one that `explainer train` wrote."""
    turbo, trained = (tiny.save_folder(tmp_path / name) for name in ("tiny-turbo", "trained"))
    (trained / "training.json").write_text("{}")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text('a fox\n{"prompt": "an owl", "guidance_scale": 2}\n')
    for model, steps, guidance in ((turbo, 4, 0.0), (trained, 25, 3.0)):
        out = tmp_path / f"of-{model.name}"
        options = ["--model", str(model), "--no-previews", "--no-attention"]
        assert cli.main(["record", "a fox", *options, "-o", str(out.with_suffix(".trace"))]) == 0
        assert cli.main(["record", "--prompts", str(prompts), *options, "-o", str(out)]) == 0
        alone = Trace.load(out.with_suffix(".trace"))
        fox, owl = (Trace.load(path) for path in sorted(out.iterdir()))
        assert {(one.steps, one.guidance_scale) for one in (alone, fox)} == {(steps, guidance)}
        assert (owl.steps, owl.guidance_scale) == (steps, 2.0)


def test_help_says_whose_the_defaults_are(capsys):
    with pytest.raises(SystemExit):
        cli.main(["record", "--help"])
    assert capsys.readouterr().out.count("default: what the model was made for") == 2


def test_what_the_model_did_not_read_is_told(model, tmp_path, capsys):
    path = tmp_path / "long.trace"
    options = ["--steps", "1", "--model", str(model), "-o", str(path), "--no-previews"]
    assert cli.main(["record", "a fox " * 30 + "unread", *options]) == 0
    assert "did not read the end" in capsys.readouterr().out
    assert Trace.load(path).frames == {}


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["record", ""], "The prompt is empty"),
        (["record", "a fox", "--steps", "0"], "from 1 to 200"),
        (["record", "a fox", "--guidance-scale", "nan"], "guidance scale must be"),
        (["record", "a fox", "--model", "no/such/folder"], "does not exist"),
        (["serve", "--notebooks", "no-such-folder"], "no notebooks in no-such-folder"),
        (["lab", "--notebooks", "no-such-folder"], "no notebooks in no-such-folder"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(arguments, advice, capsys):
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"explainer {arguments[0]}: ")
    assert advice in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--port", "0"], ["serve", "--port", "x"], ["record"], ["dance"], ["lab", "--x"]],
)
def test_a_command_that_is_not_understood_shows_its_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: explainer" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["--most-steps", "--most-seconds", "--allow-model"])
def test_a_limit_that_would_hold_nobody_is_refused(limit, capsys, monkeypatch):
    monkeypatch.setattr(serving, "serve", pytest.fail)
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", limit, "30"])
    assert ended.value.code == 2
    assert "--public" in capsys.readouterr().err


def test_limits_that_are_not_given_are_the_usual_ones(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(serving, "serve", lambda _folder, **options: asked.append(options))
    options = ["--most-seconds", "9", "--allow-model", str(tmp_path), "--allow-model", "a/b"]
    assert cli.main(["serve", "--public", *options]) == 0
    assert cli.main(["serve"]) == 0
    limits = serving.Public(seconds=9, models=(str(tmp_path), "a/b"))
    assert [one["public"] for one in asked] == [limits, None]


def test_no_command_shows_all_of_them(capsys):
    assert cli.main([]) == 2
    said = capsys.readouterr().out
    assert all(name in said for name in ("serve", "lab", "record", "train", "evaluate"))


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_commands_of_the_embedded_model_explain_themselves(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: explainer {command}" in capsys.readouterr().out


def test_help_costs_no_torch():
    program = (
        "import sys; from explainer import cli; cli.main([]); "
        "assert not {'torch', 'voila', 'jupyterlab'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_recording_that_is_interrupted_leaves_no_file(tmp_path, model):
    path = tmp_path / "fox.trace"
    options = ["--steps", "200", "--model", str(model), "-o", str(path)]
    command = [*COMMAND, "record", "a fox", *options]
    reader, terminal = pty.openpty()  # only a terminal is told how far it is
    with subprocess.Popen(command, stderr=terminal) as process, os.fdopen(reader, "rb", 0) as said:
        os.close(terminal)
        told = b""
        while b"step 1 of 200" not in told:
            told += said.read(100)
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert not path.exists()
    assert process.returncode != 0


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(serving.ServingError, match="--host"):
        serving.free_port("192.0.2.1", 8866)
