// The cloud: points to draw or choose, a model that learns them, and the ways from noise to them.

const SLICE_MS = 12;
const LOOK_MS = 700;
// A slow machine trains for fewer steps rather than for longer.
const LONGEST_MS = 45_000;
const SAMPLES = 300;
const SAMPLE_STEPS = 50;
const FULL_RATE = 2e-3;
const LAST_RATE = 1e-4;
const REACH = 1.35;
const PLACES = 20; // that the arrow keys go to, a side
const FEWEST = 10;
const NO_POINTS = "There are no points to learn from. Choose a shape, or draw some in the left-hand square.";
const ONE_SPOT = "All points lie on one spot, so there is no shape to learn. Draw more of them, further apart.";

const tooFew = (count) => `${count} ${count === 1 ? "point makes" : "points make"} no shape yet. Draw at least ${FEWEST}.`;

const cloud = {
  mount(view) {
    const { model, root } = view;
    const source = h("canvas", { class: "ex-cloud-draw" });
    const target = h("canvas", { role: "img" });
    const shapes = model.get("_shapes").map((name) =>
      h("button", { class: "ex-button", type: "button", text: name, onclick: () => choose(name) }),
    );
    const clear = h("button", { class: "ex-button", type: "button", text: "Clear", onclick: () => setPoints([]) });
    const go = h("button", { class: "ex-button ex-button-main", type: "button", onclick: () => (training ? stop() : train()) });
    const bar = h("progress", { class: "ex-cloud-bar", max: 1, value: 0, "aria-label": "Training" });
    const told = h("p", { class: "ex-small ex-number" });
    const range = h("input", { class: "ex-cloud-range", type: "range", min: 0, max: SAMPLE_STEPS, step: 1, "aria-label": "From noise to points" });
    const again = h("button", { class: "ex-button", type: "button", text: "Other noise", onclick: () => look(true) });
    const play = h("button", { class: "ex-button", type: "button", text: "Play", onclick: playPaths });
    const moment = h("span", { class: "ex-small ex-number" });
    root.append(
      h("div", { class: "ex-cloud-bar-row", role: "group", "aria-label": "Points" }, ...shapes, clear),
      h(
        "div",
        { class: "ex-cloud" },
        h("figure", {}, h("figcaption", { class: "ex-title", text: "What it learns from" }), source),
        h("figure", {}, h("figcaption", { class: "ex-title", text: "What it makes of noise" }), target),
      ),
      h("div", { class: "ex-cloud-bar-row" }, go, bar, told),
      h("div", { class: "ex-cloud-bar-row" }, play, range, moment, again),
    );

    let dice = diceOf(5);
    let start = freshNoise(dice);
    let net = null;
    let scaled = null;
    let training = null;
    let playing = 0;
    let losses = [];
    let progress = 0;
    let paths = null;
    let known = model.get("points");
    let place = { x: PLACES / 2, y: PLACES / 2 };
    const ask = view.redraw(draw);
    // A canvas keeps the colours of the theme that it was drawn in.
    const themes = new MutationObserver(ask);
    themes.observe(root, { attributeFilter: ["data-theme"] });
    view.signal.addEventListener("abort", () => themes.disconnect());
    view.watch("points", () => {
      // Its own drawing comes back here as well; only another's takes the model away.
      if (model.get("points") !== known) forget();
    });
    range.addEventListener("input", () => {
      cancelAnimationFrame(playing);
      ask();
    });
    strokes(source, { begin: (event) => dab(...under(event)), over: (event) => dab(...under(event)), end: () => setPoints(known) });
    cellCursor(view, source, { size: () => [PLACES, PLACES], at: () => place, moved: (cell) => ((place = cell), ask()), press });
    for (const name of ["focus", "blur"]) source.addEventListener(name, ask);
    view.signal.addEventListener("abort", () => {
      stop();
      cancelAnimationFrame(playing);
    });
    range.value = SAMPLE_STEPS;
    if (model.get("_shape") && known.length === 0) choose(model.get("_shape"));
    else forget();

    function freshNoise(from) {
      return Float64Array.from({ length: 2 * SAMPLES }, () => from.normal());
    }

    function choose(name) {
      setPoints(cloudShape(name));
      shapes.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
    }

    function setPoints(points) {
      known = points;
      model.set("points", points);
      model.save_changes();
      forget();
    }

    function forget() {
      known = model.get("points");
      stop();
      cancelAnimationFrame(playing);
      shapes.forEach((button) => button.setAttribute("aria-pressed", "false"));
      view.notify({});
      [net, paths, losses] = [null, null, []];
      scaled = known.length ? standardisedCloud(known) : null;
      showState();
    }

    /** Where on the square a pointer is: shares of its width and height. */
    function under({ clientX, clientY }) {
      const box = source.getBoundingClientRect();
      return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
    }

    function dab(x, y) {
      if (x < 0 || y < 0 || x > 1 || y > 1) return; // a captured pointer goes on outside
      if (known.length + 3 > model.get("_most")) return;
      const near = () => [REACH * (2 * x - 1) + 0.025 * dice.normal(), REACH * (1 - 2 * y) + 0.025 * dice.normal()];
      known = [...known, near(), near(), near()];
      ask();
    }

    function press({ x, y }) {
      dab((x + 0.5) / PLACES, (y + 0.5) / PLACES);
      setPoints(known);
    }

    function train() {
      if (!known.length) return complain(NO_POINTS);
      if (known.length < FEWEST) return complain(tooFew(known.length));
      if (!scaled) return complain(ONE_SPOT);
      view.notify({});
      net = new PointDenoiser(3);
      losses = [];
      const total = model.get("steps");
      const started = performance.now();
      let looked = started;
      const share = () => Math.max(net.steps / total, (performance.now() - started) / LONGEST_MS);
      const slice = () => {
        const began = performance.now();
        while (share() < 1 && performance.now() - began < SLICE_MS) {
          const cool = 0.5 + 0.5 * Math.cos(Math.PI * share());
          losses.push(net.train(scaled.data, LAST_RATE + (FULL_RATE - LAST_RATE) * cool));
        }
        progress = share();
        if (progress >= 1) {
          training = null;
          return finish();
        }
        if (performance.now() - looked > LOOK_MS) {
          paths = net.sample(start, SAMPLE_STEPS / 2);
          looked = performance.now();
        }
        showState();
        training = requestAnimationFrame(slice);
      };
      training = requestAnimationFrame(slice);
      showState();
    }

    function stop() {
      if (!training) return;
      cancelAnimationFrame(training);
      training = null;
      if (net?.steps) finish();
    }

    function finish() {
      look(false);
      view.say(told.textContent);
      if (reducedMotion()) showState();
      else playPaths();
    }

    function look(other) {
      if (!net) return;
      if (other) start = freshNoise(dice);
      paths = net.sample(start, SAMPLE_STEPS);
      model.set("samples", pairs(paths.at(-1)));
      model.save_changes();
      showState();
    }

    function pairs(state) {
      return Array.from({ length: SAMPLES }, (_, i) => [scaled.back(state[2 * i], 0), scaled.back(state[2 * i + 1], 1)]);
    }

    function playPaths() {
      cancelAnimationFrame(playing);
      const began = performance.now();
      const tick = (now) => {
        range.value = Math.min(SAMPLE_STEPS, Math.round((now - began) / 50));
        ask();
        if (Number(range.value) < SAMPLE_STEPS) playing = requestAnimationFrame(tick);
      };
      playing = requestAnimationFrame(tick);
    }

    function complain(text) {
      view.notify({ kind: "error", text });
    }

    function showState() {
      const total = model.get("steps");
      const done = net?.steps ?? 0;
      go.textContent = training ? "Stop" : done ? "Train again" : "Train";
      bar.value = done ? progress : 0;
      const recent = losses.slice(-100);
      const mean = recent.reduce((sum, loss) => sum + loss, 0) / Math.max(1, recent.length);
      told.textContent = done
        ? `step ${done} of ${total} · error of the guessed noise ${mean.toFixed(3)}`
        : `${known.length} points · ${total} steps`;
      for (const control of [range, again, play]) control.disabled = !paths || Boolean(training);
      ask();
    }

    function draw() {
      const ink = getComputedStyle(root);
      const [dots, warm, faint] = ["--ink-soft", "--accent", "--rule-strong"].map((name) => ink.getPropertyValue(name));
      const left = square(source);
      left.fillStyle = dots;
      for (const [x, y] of known) dotAt(left, x, y, 1.6);
      source.setAttribute("aria-label", `${known.length} points to learn from. Draw here with the pointer; arrows move, Enter puts points.`);
      if (source.matches(":focus-visible")) frameCell(source, place.y * PLACES + place.x, PLACES, PLACES);
      const right = square(target);
      const ready = paths && scaled;
      target.setAttribute("aria-label", ready ? `${SAMPLES} points on their way from noise` : "Nothing is trained yet");
      moment.textContent = ready ? `step ${training ? SAMPLE_STEPS : range.value} of ${SAMPLE_STEPS}` : "";
      if (!ready) return;
      const last = paths.length - 1;
      const k = training ? last : Math.round((Number(range.value) / SAMPLE_STEPS) * last);
      right.strokeStyle = faint;
      right.globalAlpha = 0.35;
      for (let i = 0; i < 60; i += 1) trail(right, i, k);
      right.globalAlpha = 1;
      right.fillStyle = warm;
      for (const [x, y] of pairs(paths[k])) dotAt(right, x, y, 2);
    }

    function trail(context, i, upTo) {
      context.beginPath();
      for (let k = 0; k <= upTo; k += 1) {
        context.lineTo(...onCanvas(context, scaled.back(paths[k][2 * i], 0), scaled.back(paths[k][2 * i + 1], 1)));
      }
      context.stroke();
    }
  },
};

/** A canvas made as sharp as the screen, empty. */
function square(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.max(1, Math.round(canvas.clientWidth * ratio));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  return context;
}

function onCanvas({ canvas }, x, y) {
  return [((x / REACH + 1) / 2) * canvas.width, ((1 - y / REACH) / 2) * canvas.height];
}

function dotAt(context, x, y, radius) {
  context.beginPath();
  context.arc(...onCanvas(context, x, y), radius * (window.devicePixelRatio || 1), 0, 2 * Math.PI);
  context.fill();
}
