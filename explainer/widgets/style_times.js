// Style times: the style words only in the first steps, and only in the rest, under one slider.

const styleTimes = {
  mount(view) {
    const { model, root } = view;
    const figures = Array.from({ length: 4 }, () => pictureFigure());
    const said = h("p", { class: "ex-style-said ex-number" });
    const slider = twoLineSlider(model, { label: "Step at which the style words come or go", from: "at the start", to: "at the end" });
    const key = h("div");
    const waits = ghost();
    const board = h("div", {}, h("div", { class: "ex-style-pictures ex-style-four" }, ...figures.map(({ node }) => node)), said, slider.node, waits, key);
    const empty = h("p", { class: "ex-small", text: "Nothing is drawn yet." });
    root.append(empty, board);
    const { longest } = model.get("_form");
    const [sentence, style] = [sentenceBox({ maxlength: longest }), sentenceBox({ maxlength: longest })];
    if (canAsk(view)) {
      const fields = [labelled("Your own sentence", sentence), labelled("Style words", style)];
      root.append(askRow(view, { words: "Draw it early and late", unit: "step", fields, send: () => ({ sentence: sentence.value, style: style.value }), done: "Both are drawn." }));
    } else root.append(onlyLive("Drawing a sentence of your own"));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("position", ask);
    view.watch(["_facts", "shown"], load);
    view.watch("_form", fill);
    fill();
    load();

    function fill() {
      sentence.value = model.get("_form").sentence;
      style.value = model.get("_form").style;
    }

    function load() {
      const { switches, early, late } = model.get("_facts");
      board.hidden = !switches;
      empty.hidden = !board.hidden;
      if (board.hidden) return;
      const shown = model.get("shown");
      const hidden = switches.map(() => null);
      slider.draw(shown ? early.pixels : hidden, shown ? late.pixels : hidden);
      waits.hidden = shown;
      key.hidden = !shown;
      key.replaceChildren(twoLineKey("only before that step", "only from it on", "Upwards: how far the picture follows the sentence with its style words, by pixels."));
      ask();
    }

    function draw() {
      const { switches, steps, seed, early, late, with: written } = model.get("_facts");
      if (!switches) return;
      const last = switches.length - 1;
      const k = clamp(model.get("position"), 0, last);
      const done = switches[k];
      const parts = [
        ["early", last, "all along", null],
        ["early", k, `only in the first ${done} steps`, early],
        ["late", k, `only in the last ${steps - done} steps`, late],
        ["early", 0, "never", null],
      ];
      parts.forEach(([name, place, words, shares], i) => {
        const bitmap = frames.get(name, place);
        if (bitmap) paint(figures[i].canvas, bitmap, false);
        const measured = shares && model.get("shown") ? `: ${percent(shares.pixels[k])} by pixels${shares.clip[k] === null ? "" : `, ${percent(shares.clip[k])} by CLIP`}` : "";
        figures[i].caption.textContent = `${words}${measured}`;
        figures[i].canvas.setAttribute("aria-label", `“${written}”, its style words ${words}${measured}`);
      });
      said.textContent = `The style words change sides after step ${done} of ${steps}. Always the same noise, seed ${seed}.`;
      slider.place(k, `after step ${done} of ${steps}`);
    }
  },
};
