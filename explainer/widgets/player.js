// The player: one run, step by step. Position k means "after k steps": the left picture is the noisy
// state then, the right one what the model predicts from it; at the end both are the finished picture.

const PLAY = "M8 5.2v13.6c0 .8.9 1.3 1.5.8l10-6.8c.6-.4.6-1.2 0-1.6l-10-6.8C8.9 3.9 8 4.4 8 5.2z";
const PAUSE = "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z";
const PACE_MS = 130;
const CALM_PACE_MS = 600;
const PREDICTED = "What the model predicts now";

/** The share of noise, in words that a child could follow. */
function noiseInWords(noise) {
  if (noise >= 0.985) return "pure noise";
  if (noise >= 0.85) return "almost all noise";
  if (noise > 0.6) return "mostly noise";
  if (noise >= 0.4) return "half noise, half picture";
  if (noise > 0.15) return "mostly picture";
  if (noise > 0.015) return "almost clean";
  return "no noise left";
}

function percentOf(share) {
  return share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(share * 100)} %`;
}

/** What position k of a run is, in words. */
function momentOf(run, k) {
  const noise = run.noise[k];
  const finished = run.complete && k === run.count;
  const known = noise !== null && noise !== undefined;
  return {
    step: `Step ${k} of ${run.total}`,
    noise: known ? `${percentOf(noise)} noise` : "",
    words: finished ? "the finished picture" : known ? noiseInWords(noise) : "where the run was stopped",
    timestep: k < run.count ? `timestep ${Math.round(run.timesteps[k])}` : "",
  };
}

function sentence(moment) {
  return [moment.step, moment.noise, moment.words, moment.timestep].filter(Boolean).join(", ");
}

function moveTo(model, k) {
  model.set("step", clamp(k, 0, model.get("_run").count ?? 0));
  // At once, however fast the reader scrubs: Jupyter sends one message at a time and keeps only the
  // newest of those that wait. Saving later would let an answer to an older step move the slider.
  model.save_changes();
}

const player = {
  /** The clock that plays; one for all views of a model. */
  start(model, signal) {
    let timer = 0;
    const stop = () => {
      clearTimeout(timer);
      timer = 0;
    };
    const tick = () => {
      const last = model.get("_run").count ?? 0;
      if (model.get("step") >= last) {
        model.set("playing", false);
        return model.save_changes();
      }
      moveTo(model, model.get("step") + 1);
      timer = setTimeout(tick, reducedMotion() ? CALM_PACE_MS : PACE_MS);
    };
    const follow = () => {
      stop();
      if (!model.get("playing")) return;
      if (model.get("step") >= (model.get("_run").count ?? 0)) moveTo(model, 0);
      timer = setTimeout(tick, reducedMotion() ? CALM_PACE_MS : PACE_MS);
    };
    watch(model, "playing", signal, follow);
    signal.addEventListener("abort", stop);
    follow();
  },

  /** Returns what shows in its place how a run to come is getting on. */
  mount(view) {
    const { model, root } = view;
    const run = () => model.get("_run") ?? {};
    const at = () => clamp(model.get("step"), 0, run().count ?? 0);

    const noisy = picture("Noisy state");
    const clean = picture(PREDICTED);
    const track = noiseTrack();
    const play = h("button", { class: "ex-play", type: "button", onclick: toggle });
    const smooth = h("button", {
      class: "ex-button ex-button-quiet",
      type: "button",
      text: "Show pixels",
      onclick: () => {
        model.set("pixelated", !model.get("pixelated"));
        model.save_changes();
      },
    });
    const step = h("strong", { class: "ex-player-step ex-number" });
    const level = h("span", { class: "ex-player-level ex-number" });
    const caption = h("p", { class: "ex-player-prompt" });
    const facts = h("p", { class: "ex-small ex-number" });
    const partial = h("p", { class: "ex-player-aside" });
    const unread = h("p", { class: "ex-player-aside" });
    const former = h(
      "div",
      { class: "ex-player-former" },
      h("div", { class: "ex-player-transport" }, play, track.node),
      partial,
      unread,
      h("div", { class: "ex-player-caption" }, h("div", {}, caption, facts), smooth),
      saveMenu(view),
    );
    let coming = null;

    const stage = h(
      "div",
      { class: "ex-player", role: "group" },
      h(
        "div",
        { class: "ex-player-pictures" },
        noisy.figure,
        h("span", { class: "ex-player-arrow", "aria-hidden": "true" }, icon("M4 12h15M13 6l6 6-6 6")),
        clean.figure,
      ),
      h("p", { class: "ex-player-readout" }, step, level),
      former,
    );
    root.append(stage);

    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["step", "pixelated"], ask);
    view.watch("playing", showPlaying);
    view.watch("_run", showRun);
    track.range.addEventListener("input", () => go(Number(track.range.value)));
    stage.addEventListener("keydown", onKey);
    showRun();
    showPlaying();
    return { expect };

    /**
     * Show the picture of a run that is being drawn, `{ bitmap, step, total }`; null brings back the run
     * on show. What that one is moved by rests meanwhile, and the heir has the focus that it had.
     */
    function expect(next, heir) {
      coming = next;
      if (coming && former.contains(document.activeElement)) heir.focus();
      former.inert = Boolean(coming);
      stage.classList.toggle("ex-player-expects", Boolean(coming));
      ask();
    }

    function go(k) {
      if (model.get("playing")) model.set("playing", false);
      moveTo(model, k);
    }

    function toggle() {
      model.set("playing", !model.get("playing"));
      model.save_changes();
    }

    function onKey(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const jump = Math.max(1, Math.round((run().count ?? 0) / 5));
      const moves = {
        ArrowRight: at() + 1,
        ArrowUp: at() + 1,
        ArrowLeft: at() - 1,
        ArrowDown: at() - 1,
        PageUp: at() + jump,
        PageDown: at() - jump,
        Home: 0,
        End: run().count,
      };
      if (event.key in moves) go(moves[event.key]);
      else if (event.key === " " && (event.target === track.range || event.target === play)) toggle();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    function showRun() {
      const now = run();
      const empty = !now.count;
      stage.hidden = empty;
      if (empty) return;
      track.draw(now);
      stage.style.setProperty("--shape", `${now.width} / ${now.height}`);
      stage.style.setProperty("--shape-number", now.width / now.height);
      stage.setAttribute("aria-label", `Run: ${now.prompt}`);
      caption.textContent = `“${now.prompt}”`;
      facts.textContent = factsOf(now);
      partial.hidden = now.complete;
      partial.textContent = `Stopped after ${now.count} of ${now.total} steps: this run has no finished picture.`;
      unread.hidden = !now.truncated;
      unread.textContent = `The prompt is longer than the model reads. It never saw: “${now.truncated}”`;
      ask();
    }

    function showPlaying() {
      const playing = model.get("playing");
      play.replaceChildren(icon(playing ? PAUSE : PLAY, true));
      play.setAttribute("aria-label", playing ? "Pause" : "Play");
      play.title = playing ? "Pause (space)" : "Play (space)";
      if (!playing && view.played) view.say(sentence(momentOf(run(), at())));
      view.played = playing;
    }

    function draw() {
      const now = run();
      if (!now.count) return;
      if (coming) return drawComing(now);
      const k = at();
      const moment = momentOf(now, k);
      const last = frames.count("noisy") - 1;
      const pixelated = model.get("pixelated");
      const predicts = k < frames.count("x0");
      show(noisy, frames.get("noisy", Math.min(k, last)), pixelated);
      show(clean, predicts ? frames.get("x0", k) : frames.get("picture", 0), pixelated);
      const label = predicts ? PREDICTED : now.complete ? "The finished picture" : "Last state";
      const state = now.complete && !predicts ? "All noise is gone" : "Noisy state";
      clean.label.textContent = label;
      noisy.label.textContent = state;
      noisy.canvas.setAttribute("aria-label", `${state} at ${sentence(moment)}`);
      clean.canvas.setAttribute("aria-label", `${label} at ${sentence(moment)}. Prompt: ${now.prompt}`);
      step.textContent = moment.step;
      level.textContent = [moment.noise, moment.words, moment.timestep].filter(Boolean).join(" · ");
      smooth.setAttribute("aria-pressed", String(pixelated));
      track.place(k, sentence(moment));
    }

    function drawComing(now) {
      const pixelated = model.get("pixelated");
      show(noisy, frames.get("picture", 0), pixelated);
      show(clean, coming.bitmap, pixelated);
      noisy.label.textContent = "The last one";
      clean.label.textContent = PREDICTED;
      step.textContent = `Step ${coming.step} of ${coming.total}`;
      level.textContent = "being drawn";
      noisy.canvas.setAttribute("aria-label", `The last one. Prompt: ${now.prompt}`);
      clean.canvas.setAttribute("aria-label", `${PREDICTED}, ${step.textContent}, being drawn`);
    }
  },
};

function factsOf(run) {
  return [
    run.seed === null ? "" : `seed ${run.seed}`,
    `${run.steps} steps`,
    run.guidance_scale > 1 ? `guidance ${run.guidance_scale}` : "no guidance",
    run.negative_prompt ? `without “${run.negative_prompt}”` : "",
    run.model,
    `${run.width} × ${run.height} px`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function picture(text) {
  const canvas = h("canvas", { role: "img", class: "ex-player-canvas" });
  const label = h("figcaption", { class: "ex-title", text });
  return { canvas, label, figure: h("figure", { class: "ex-player-picture" }, label, canvas) };
}

function show({ canvas }, bitmap, pixelated) {
  if (bitmap) paint(canvas, bitmap, pixelated);
}

/** The slider on the noise curve; the area below it is filled as far as the run has come. */
function noiseTrack() {
  const track = curveSlider({ label: "Step of the run", from: "noise", to: "picture" });
  const area = h("svg:path", { class: "ex-track-area" });
  const done = h("svg:path", { class: "ex-track-done" });
  track.node.classList.add("ex-track");
  track.node.querySelector("svg").prepend(area, done);
  let noise = [];
  const below = (k) => `${curvePath(noise, k)}L${(100 * k) / Math.max(1, noise.length - 1)} 100L0 100Z`;
  return {
    ...track,
    draw(run) {
      noise = Array.from({ length: run.count + 1 }, (_, k) => run.noise[k] ?? run.noise[k - 1] ?? 0);
      track.draw(noise);
      area.setAttribute("d", below(run.count));
    },
    place(k, words) {
      track.place(k, words);
      done.setAttribute("d", below(k));
    },
  };
}
