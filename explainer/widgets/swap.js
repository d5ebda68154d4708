// The swap: one slider for the step at which the prompt changes, from never (the first sentence alone, on
// the left as everywhere) to the first (the second alone); the reader guesses before the curves show.

const swap = {
  mount(view) {
    const { model, root } = view;
    const figures = [0, 1, 2].map(figure);
    const said = h("p", { class: "ex-swap-said" });
    const slot = h("div");
    const guess = h("button", { class: "ex-button ex-button-main", type: "button", text: "My guess: it is decided here", onclick: reveal });
    const verdict = h("p", { class: "ex-swap-verdict ex-number", hidden: true });
    const key = h("p", { class: "ex-small ex-swap-key", hidden: true }, keyOf("ex-curve-line"), " by pixels ", keyOf("ex-swap-clip"), " by CLIP. ↑ how far the picture follows the first sentence; on the dashed line it is half-way.");
    const board = h("div", {}, h("div", { class: "ex-swap" }, ...figures.map(({ node }) => node)), said, key, slot, h("div", { class: "ex-swap-guess" }, guess, verdict));
    const empty = h("p", { class: "ex-small", text: "Nothing is drawn yet." });
    const sentences = ["First sentence", "Second sentence"].map((label) =>
      sentenceBox({ "aria-label": label, placeholder: label, maxlength: model.get("_longest") }),
    );
    root.append(empty, board);
    if (canAsk(view)) {
      root.append(askRow(view, { words: "Draw these two", unit: "step", fields: sentences, send: () => ({ first: sentences[0].value, second: sentences[1].value }) }));
    } else root.append(onlyLive("Drawing two sentences of your own"));
    let slider;
    let guessed = null;
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("position", ask);
    view.watch("_facts", load);
    view.watch("_form", fill);
    fill();
    load();

    function figure() {
      const canvas = h("canvas", { role: "img" });
      const caption = h("figcaption", { class: "ex-small" });
      return { canvas, caption, node: h("figure", {}, canvas, caption) };
    }

    function keyOf(name) {
      return h("svg:svg", { width: 26, height: 10, "aria-hidden": "true" }, h("svg:path", { class: name, d: "M0 5H26" }));
    }

    function fill() {
      const { first, second } = model.get("_form");
      [sentences[0].value, sentences[1].value] = [first, second];
    }

    function load() {
      const facts = model.get("_facts");
      board.hidden = !facts.switches;
      empty.hidden = !board.hidden;
      if (board.hidden) return;
      guessed = null;
      slider = curveSlider({ label: "Step at which the sentence changes", from: "first sentence alone", to: "second sentence alone" });
      slider.draw(facts.switches.map(() => null));
      slider.range.addEventListener("input", () => {
        model.set("position", facts.switches.length - 1 - Number(slider.range.value));
        model.save_changes();
      });
      renew(slot, slider.node);
      key.hidden = verdict.hidden = true;
      guess.hidden = false;
      figures[0].caption.textContent = `First sentence alone: “${facts.first}”`;
      figures[2].caption.textContent = `Second sentence alone: “${facts.second}”`;
      ask();
    }

    function reveal() {
      const { switches, pixels, clip, steps, decided, judged, told } = model.get("_facts");
      guessed = switches[model.get("position")];
      slider.draw(pixels.toReversed(), { floor: 0, ceiling: 1, level: 0.5 });
      const line = h("svg:path", { class: "ex-swap-clip", "vector-effect": "non-scaling-stroke", d: curvePath(clip.toReversed()) });
      slider.node.querySelector("svg").append(line);
      const after = (switched) => (switched === null ? "never for good" : `once it had ${switched} of ${steps} steps`);
      verdict.textContent =
        `You said: after ${guessed} of ${steps} steps. By pixels the picture is nearer to the first sentence's own ` +
        `${after(decided.pixels)}; ` +
        (judged ? `CLIP finds the first sentence the better name ${after(decided.clip)}.` : "CLIP was not asked.") + (told ? ` ${told}` : "");
      guess.hidden = true;
      key.hidden = verdict.hidden = false;
      view.say(verdict.textContent);
      slider.range.focus(); // the button that was pressed is gone
      ask();
    }

    function draw() {
      const { switches, steps, seed, first, second, pixels, clip } = model.get("_facts");
      if (!switches) return;
      const k = clamp(model.get("position"), 0, switches.length - 1);
      [switches.length - 1, k, 0].forEach((place, i) => {
        const bitmap = frames.get("pictures", place);
        if (bitmap) paint(figures[i].canvas, bitmap, false);
      });
      const words = `the first ${switches[k]} of ${steps} steps for the first sentence, the other ${steps - switches[k]} for the second`;
      figures[1].caption.textContent = `Changed after step ${switches[k]}`;
      said.textContent = `${words[0].toUpperCase()}${words.slice(1)}. Always the same noise, seed ${seed}.`;
      figures[0].canvas.setAttribute("aria-label", `${first}, alone`);
      figures[1].canvas.setAttribute("aria-label", words);
      figures[2].canvas.setAttribute("aria-label", `${second}, alone`);
      const measured = guessed === null ? "" : `: follows the first by ${sharesInWords(pixels[k], clip[k])}`;
      slider.place(switches.length - 1 - k, `${words}${measured}`);
    }
  },
};

function sharesInWords(pixels, clip) {
  return `${percent(pixels)} by pixels${clip === null ? "" : `, ${percent(clip)} by CLIP`}`;
}
