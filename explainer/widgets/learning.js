// Learning: a slider on the curve of the error; above it what the model drew with what it knew then.

const STAGE_NAMES = { clip: "CLIP pair" };
const STAGE_WORDS = {
  denoiser: "How far the guessed noise is off, weighed by how much noise there is",
  clip: "How badly sentences and pictures are matched (contrastive loss)",
  autoencoder: "How far pictures come back changed (reconstruction loss)",
  distillation: "How much of the mending is still missing (1: as much as there is to learn)",
  reading: "How far everyday wordings are from captions that name the same",
  decoder: "How far decoded pictures are from the drawings, whatever the critic says",
};

const learning = {
  mount(view) {
    const { model, root } = view;
    const steps = model.get("_steps");
    const prompts = model.get("_prompts");
    const shown = prompts.map((prompt) => {
      const canvas = h("canvas", { role: "img" });
      return { prompt, canvas, node: h("figure", {}, canvas, h("figcaption", { class: "ex-small", text: `“${prompt}”` })) };
    });
    const pictures = h("div", { class: "ex-learning" }, ...shown.map(({ node }) => node));
    const without = h("p", { class: "ex-small", text: "No pictures of this training were kept: here is its error alone." });
    const stages = Object.keys(model.get("_losses")).map((name) =>
      h("button", { class: "ex-button", type: "button", text: STAGE_NAMES[name] ?? name, "data-stage": name, onclick: () => choose(name) }),
    );
    const title = h("p", { class: "ex-title ex-number" });
    const words = h("p", { class: "ex-small" });
    const slot = h("div");
    root.append(
      h("div", { class: "ex-learning-stages", role: "group", "aria-label": "What was trained" }, ...stages),
      title,
      pictures,
      without,
      words,
      slot,
    );
    let slider;
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("position", ask);
    view.watch("stage", load);
    load();

    function choose(name) {
      model.set("stage", name);
      model.set("position", model.get("_losses")[name].length - 1);
      model.save_changes();
    }

    function load() {
      const stage = model.get("stage");
      const losses = model.get("_losses")[stage];
      slider = curveSlider({ label: `Training of the ${stage}`, from: `step ${grouped(losses[0][0])}`, to: `step ${grouped(losses.at(-1)[0])}` });
      drawErrors(losses.map(([, loss]) => loss));
      slider.range.addEventListener("input", () => {
        model.set("position", Number(slider.range.value));
        model.save_changes();
      });
      slot.replaceChildren(slider.node);
      words.textContent = `↑ ${STAGE_WORDS[stage] ?? "Loss"}, on a logarithmic scale`;
      const pictured = stage === model.get("_pictured");
      pictures.hidden = !pictured || !steps.length;
      without.hidden = !pictured || Boolean(steps.length);
      stages.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.stage === stage)));
      ask();
    }

    /** An error falls by powers of ten: else all but its beginning would lie flat. */
    function drawErrors(errors) {
      const least = Math.min(...errors.filter((error) => error > 0));
      const [low, high] = [Math.log10(least) - 0.05, Math.log10(Math.max(...errors, least)) + 0.05];
      const marks = roundBetween(low, high).map((value) => [Math.log10(value), String(value)]);
      slider.draw(errors.map((error) => Math.log10(Math.max(error, least))), { floor: low, ceiling: high, marks });
    }

    function draw() {
      const losses = model.get("_losses")[model.get("stage")];
      const [step, loss] = losses[clamp(model.get("position"), 0, losses.length - 1)];
      const known = Math.max(0, steps.filter((kept) => kept <= step).length - 1);
      const drawn = pictures.hidden ? "" : ` · drawn after step ${grouped(steps[known])}`;
      title.textContent = `Step ${grouped(step)} · error ${loss.toPrecision(3)}${drawn}`;
      slider.place(clamp(model.get("position"), 0, losses.length - 1), title.textContent);
      shown.forEach(({ canvas, prompt }, i) => {
        const bitmap = frames.get(`pictures-${i}`, known);
        if (bitmap) paint(canvas, bitmap, false);
        canvas.setAttribute("aria-label", `${prompt}, drawn after ${steps[known]} steps of training`);
      });
    }
  },
};

/** Round numbers between two powers of ten: the closer these are, the more of them. */
function roundBetween(low, high) {
  const span = high - low;
  const factors = span > 2.2 ? [1] : span > 1 ? [1, 3] : span > 0.4 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const values = powers.flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(3))));
  return values.filter((value) => Math.log10(value) > low && Math.log10(value) < high);
}

function grouped(count) {
  return count.toLocaleString("en-GB");
}
