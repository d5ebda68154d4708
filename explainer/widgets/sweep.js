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
    const prompt = h("input", { class: "ex-sweep-prompt", type: "text", "aria-label": "Prompt", maxlength: model.get("_longest") });
    const seed = h("input", { class: "ex-sweep-seed ex-number", type: "text", inputmode: "numeric", "aria-label": "Seed" });
    const go = h("button", { class: "ex-button ex-button-main", type: "submit", text: "Draw them" });
    const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
    const form = h("form", { class: "ex-sweep-form", onsubmit: ask }, prompt, seed, go, cancel);
    const grid = h("ul", { class: "ex-sweep" });
    const measure = h("button", {
      class: "ex-button",
      type: "button",
      text: "Measure how far they are apart",
      onclick: () => {
        measured = true;
        showMeasured();
      },
    });
    let measured = false;
    root.append(
      h("div", { class: "ex-sweep-knobs", role: "group", "aria-label": "Experiment" }, ...knobs),
      grid,
      measure,
      live ? form : onlyLive("Drawing more"),
    );
    let canvases = [];
    const redraw = view.redraw(draw);
    const frames = new Frames(model, view.signal, redraw);
    view.watch("_cells", load);
    view.watch("_frames", redraw);
    view.watch(["_busy", "knob"], showState);
    view.watch("_apart", showMeasured);
    view.watch("knob", () => (measured = false));
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
      if (canvases.length !== cells.length || cells.some(({ label }, i) => canvases[i].dataset.label !== label)) {
        const items = cells.map(item);
        canvases = items.map(({ canvas }) => canvas);
        grid.replaceChildren(...items.map(({ node }) => node));
      }
      cells.forEach(({ label, state, share }, i) => {
        canvases[i].dataset.state = state;
        canvases[i].nextElementSibling.value = share;
        canvases[i].nextElementSibling.hidden = state !== "drawing";
        canvases[i].setAttribute("aria-label", state === "done" ? label : `${label}: not drawn yet`);
      });
      showState();
      showMeasured();
      redraw();
    }

    /** The numbers wait for the reader's guess. */
    function showMeasured() {
      const [apart, beside] = [model.get("_apart"), model.get("_beside")];
      measure.hidden = measured || apart.filter((levels) => levels !== null).length < 2;
      grid.querySelectorAll(".ex-sweep-apart").forEach((note, i) => {
        const levels = apart[i] ?? null;
        const own = model.get("_cells")[i].label === beside;
        note.hidden = !measured || levels === null;
        note.textContent = own ? "the others are measured against this one" : `${levels} grey levels away`;
      });
    }

    function item({ label }, place) {
      const canvas = h("canvas", { role: "img", "data-label": label });
      const bar = h("progress", { max: 1, value: 0, "aria-label": `Progress of ${label}`, hidden: true });
      const choose = h(
        "button",
        { class: "ex-sweep-choose", type: "button", onclick: () => live && model.send({ type: "open", place }) },
        canvas,
        bar,
        h("span", { text: label }),
        h("span", { class: "ex-small ex-number ex-sweep-apart", hidden: true }),
      );
      return { canvas, node: h("li", {}, choose) };
    }

    function showState() {
      const busy = model.get("_busy");
      go.disabled = busy;
      cancel.hidden = !busy;
      knobs.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === model.get("knob"))));
    }

    function draw() {
      const cells = model.get("_cells");
      canvases.forEach((canvas, i) => {
        const bitmap = cells[i].state === "done" ? frames.get("pictures", i) : null;
        if (bitmap) paint(canvas, bitmap, false);
        else if (cells[i].state !== "done") canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      });
    }
  },
};
