// The sweep: an experiment's runs side by side; pictures come in as they are drawn.

const sweep = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const knobs = model.get("_knobs").map((name) =>
      h("button", {
        class: "ex-button",
        type: "button",
        text: name,
        onclick: () => {
          model.set("knob", name);
          model.save_changes();
        },
      }),
    );
    const prompt = sentenceBox({ class: "ex-text-field ex-sweep-prompt", "aria-label": "Prompt", maxlength: model.get("_longest") });
    const seed = h("input", { class: "ex-text-field ex-sweep-seed ex-number", type: "text", inputmode: "numeric" });
    const form = h("form", { class: "ex-sweep-form", onsubmit: ask }, prompt, h("label", { class: "ex-sweep-named ex-small" }, "Seed ", seed), seriesButtons(view, "Draw them"));
    const grid = h("ul", { class: "ex-sweep" });
    const measure = h("button", {
      class: "ex-button",
      type: "button",
      text: "Measure how far they are apart",
      onclick: () => {
        measured = true;
        showMeasured();
        const notes = [...grid.querySelectorAll(".ex-sweep-apart:not([hidden])")];
        view.reveal(grid, notes.map((note) => `${note.previousSibling.textContent}: ${note.textContent}`).join("; "));
      },
    });
    const waits = ghost();
    let measured = false;
    root.append(
      h("div", { class: "ex-sweep-knobs", role: "group", "aria-label": "Experiment" }, ...knobs),
      waits,
      grid,
      measure,
      live ? form : onlyLive("Drawing more"),
    );
    let tiles = [];
    const redraw = view.redraw(draw);
    const frames = new Frames(model, view.signal, redraw);
    view.watch(["_cells", "_waiting"], load);
    view.watch("_frames", redraw);
    view.watch("knob", () => {
      measured = false;
      showKnob();
    });
    view.watch(["_apart", "shown"], showMeasured);
    view.watch("_form", fill);
    fill();
    load();

    function fill() {
      prompt.value = model.get("_form").prompt;
      seed.value = model.get("_form").seed;
    }

    function ask(event) {
      event.preventDefault();
      model.send({ type: "start", prompt: prompt.value, seed: seed.value.trim() });
    }

    function load() {
      const cells = model.get("_cells");
      const [now] = model.get("_waiting");
      if (tiles.length !== cells.length || cells.some(({ label }, i) => tiles[i].label !== label)) {
        tiles = cells.map(tile);
        grid.replaceChildren(...tiles.map(({ node }) => node));
      }
      cells.forEach(({ label, done }, i) => {
        const { canvas, bar } = tiles[i];
        bar.hidden = now?.title !== label;
        bar.value = now?.share ?? 0;
        canvas.setAttribute("aria-label", done ? label : `${label}: not drawn yet`);
      });
      showKnob();
      showMeasured();
      redraw();
    }

    /** The numbers wait for the reader's guess. */
    function showMeasured() {
      const [apart, beside] = [model.get("_apart"), model.get("_beside")];
      grid.hidden = !model.get("shown");
      waits.hidden = model.get("shown");
      measure.hidden = !model.get("shown") || measured || apart.filter((levels) => levels !== null).length < 2;
      grid.querySelectorAll(".ex-sweep-apart").forEach((note, i) => {
        const levels = apart[i] ?? null;
        const own = model.get("_cells")[i].label === beside;
        note.hidden = !measured || levels === null;
        note.textContent = own ? "the others are measured against this one" : `${levels} grey levels away`;
      });
    }

    function tile({ label }) {
      const { canvas, bar, node: place } = seriesPlace(label);
      const words = [h("span", { text: label }), h("span", { class: "ex-small ex-number ex-sweep-apart", hidden: true })];
      // Without a kernel there is no run to open.
      const node = live
        ? h("button", { class: "ex-sweep-choose", type: "button", onclick: () => model.send({ type: "open", label }) }, place, ...words)
        : h("div", { class: "ex-sweep-choose" }, place, ...words);
      return { label, canvas, bar, node: h("li", {}, node) };
    }

    function showKnob() {
      knobs.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === model.get("knob"))));
    }

    function draw() {
      const cells = model.get("_cells");
      tiles.forEach(({ canvas }, i) => {
        const bitmap = cells[i].done ? frames.get("pictures", i) : null;
        if (bitmap) paint(canvas, bitmap, false);
        else if (!cells[i].done) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      });
    }
  },
};
