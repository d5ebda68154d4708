// Drawing in the browser: a studio without a kernel asks the worker in its place, and what the worker
// hands over is shown by the same widgets, as if a Trace had come from Python.

const REPORT_MS = 300;
const THOUSAND = 1000;
/** What a link may ask for that is not drawn here. */
const BEYOND = { scheduler: "a scheduler of its own", weights: "words that count more or less than others" };

/** Give every studio of the page somebody who draws, if the page came over the network. */
function attachDrawing(models) {
  const facts = JSON.parse(document.getElementById("drawing").textContent);
  const served = location.protocol === "http:" || location.protocol === "https:";
  for (const [i, model] of models.entries()) {
    if (classOf(model) !== "Studio") continue;
    if (served) attachStudio(model, models, i, facts);
    else model.set("_offer", "Put on a web host, this page draws sentences of your own in the browser; opened from a disk it cannot.");
  }
}

/** Say what the first picture makes this browser fetch, once it is known which runtime it takes. */
async function offer(model, { sizes }) {
  const words = "Drawn here, in your browser. The first picture fetches the model";
  model.set("_offer", `${words}.`);
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  const runtime = `ort/${gpu ? "webgpu" : "wasm"}.`;
  const fetched = Object.entries(sizes).filter(([name]) => name.startsWith("model/") || name.startsWith(runtime));
  model.set("_offer", `${words}: ${Math.round(fetched.reduce((sum, [, size]) => sum + size, 0) / 1e6)} MB.`);
}

function attachStudio(model, models, place, { folder, sizes, usual }) {
  let worker = null;
  let id = 0;
  let began = 0;
  let parameters = null;
  let drawn = null;
  let reported = 0;

  offer(model, { sizes });
  const asked = new URLSearchParams(location.search);
  if (asked.has("prompt")) {
    model.set("_form", { ...usual, ...formOf(asked) });
    const beyond = Object.entries(BEYOND).flatMap(([name, words]) => (asked.has(name) ? [words] : []));
    if (beyond.length) model.set("_notice", { kind: "info", text: `The run of this link has ${beyond.join(" and ")}: that needs a live page. Drawn here, its picture is another.` });
  }
  model.send = (content) => {
    if (content.type === "generate") generate(new URLSearchParams(content.query));
    else if (content.type === "cancel") stop();
    else if (content.type === "save") save(content.kind);
  };

  function generate(query) {
    parameters = {
      prompt: query.get("prompt"),
      negative_prompt: query.get("negative_prompt") ?? "",
      seed: query.get("seed").trim().replace("+", ""),
      steps: Number(query.get("steps")),
      guidance_scale: Number(query.get("guidance_scale")),
    };
    id += 1;
    began = performance.now();
    status("running", 0);
    try {
      worker ??= startWorker();
    } catch (error) {
      return fail(String(error.message));
    }
    worker.postMessage({ type: "draw", id, sizes, parameters });
  }

  function startWorker() {
    const made = new Worker(new URL(`${folder}/worker.js`, document.baseURI), { type: "module" });
    made.onerror = (event) => {
      event.preventDefault();
      made.terminate();
      worker = null;
      fail(`The model could not be started${event.message ? `: ${event.message}` : ""}. Is the site complete? Otherwise reload the page and try again.`);
    };
    made.onmessage = ({ data }) => data.id === id && hear(data);
    return made;
  }

  function hear({ type, step, preview, got, total, text, run, device }) {
    if (type === "loading") loading(got, total);
    else if (type === "begun") began = performance.now();
    else if (type === "step") {
      model.update({ _preview: new DataView(preview.buffer) });
      status("running", step);
    } else if (type === "done") finish(run, device);
    else if (type === "cancelled") stopped();
    else fail(text);
  }

  function loading(got, total) {
    if (performance.now() - reported < REPORT_MS && got < total) return;
    reported = performance.now();
    began = performance.now();
    const megabytesOf = (bytes) => (bytes / 1e6).toFixed(0);
    status("running", 0, got < total ? `Fetching the model: ${megabytesOf(got)} of ${megabytesOf(total)} MB` : "Waking the model…");
  }

  function status(state, step, words = "") {
    const elapsed = (performance.now() - began) / THOUSAND;
    model.set("_status", { state, step, total: parameters?.steps ?? 0, place: 0, elapsed, words });
  }

  function stop() {
    id += 1;
    worker?.postMessage({ type: "cancel" });
    stopped();
  }

  function stopped() {
    const { step, total } = model.get("_status");
    end("cancelled", { kind: "info", text: step ? `Stopped after ${step} of ${total} steps.` : "Stopped." });
  }

  function fail(text) {
    end("failed", { kind: "error", text });
  }

  function end(state, notice) {
    status(state, model.get("_status").step);
    model.update({ _notice: notice, _preview: new DataView(new ArrayBuffer(0)) });
  }

  function finish(run, device) {
    drawn = run;
    model.update({ ...playerOf(run), _link: linkOf(run) });
    end("done", { kind: "info", text: `Drawn in your browser with ${device}, in ${((performance.now() - began) / THOUSAND).toFixed(1)} s.` });
    models.forEach((other, i) => follow(other, run, i > place));
  }

  async function save(kind) {
    const name = fileName(model.get("_run"));
    try {
      const [suffix, mime, bytes] = await fileOf(kind, model, drawn);
      model.tell("msg:custom", { type: "file", name: name + suffix, mime }, [bytes]);
    } catch (error) {
      model.tell("msg:custom", { type: "unsaved", text: error.message });
    }
  }
}

function formOf(query) {
  const names = ["prompt", "negative_prompt", "seed", "steps", "guidance_scale"];
  return Object.fromEntries(names.filter((name) => query.has(name)).map((name) => [name, query.get(name)]));
}

function linkOf({ prompt, negative_prompt, seed, steps, guidance_scale }) {
  const all = { prompt, ...(negative_prompt ? { negative_prompt } : {}), seed, steps, guidance_scale };
  return String(new URLSearchParams(all));
}

/** What a Player shows of a run; see `_run_facts` in player.py. */
function playerOf(run) {
  const { prompt, negative_prompt, seed, steps, guidance_scale, width, height, timesteps, signal } = run;
  return {
    ...framesOf({ ...run.frames, picture: [run.picture] }),
    _run: {
      prompt, negative_prompt, seed, steps, guidance_scale, width, height, timesteps,
      model: run.model,
      count: timesteps.length,
      total: timesteps.length,
      complete: true,
      truncated: run.truncated.trim(),
      noise: [...signal.map((share) => Math.round(1e4 * (1 - share)) / 1e4), 0],
    },
    playing: false,
    step: timesteps.length,
  };
}

function joinedBytes(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  pieces.reduce((from, one) => (all.set(one, from), from + one.byteLength), 0);
  return all;
}

function fileName({ prompt, seed }) {
  const words = prompt.toLowerCase().replace(/[^\p{L}\p{N}_]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 48).replace(/-+$/, "");
  return `${words || "run"}${seed === null ? "" : `-seed-${seed}`}`;
}

/** A file to save: its suffix, its kind and its bytes. */
async function fileOf(kind, model, run) {
  if (kind === "picture") return [".png", "image/png", await pictureFile(model)];
  if (kind === "trace" && run) return [".trace", "application/octet-stream", traceFile(run)];
  const what = kind === "trace" ? "The recorded run's file" : "An animation";
  throw new Error(`${what} is made by a live page. Here you can save the picture, and the whole of a run that you drew.`);
}
