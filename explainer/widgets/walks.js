// The walks: one slider for the place on the way; where lengths are known, it lies on their curve.

const walks = {
  mount(view) {
    const { model, root } = view;
    const names = Object.keys(model.get("_facts").kinds);
    const buttons = names.map((kind) => h("button", { class: "ex-button", type: "button", text: model.get("_facts").kinds[kind], onclick: () => choose(kind) }));
    const pictures = h("div", { class: "ex-walks" });
    const said = h("p", { class: "ex-walks-said ex-number" });
    const note = h("p", { class: "ex-small" });
    const range = curveSlider({ label: "Place on the way", from: "from here", to: "to there" });
    const words = sentenceBox({ "aria-label": "The sentence to end at", value: model.get("_facts").second, maxlength: model.get("_facts").longest });
    range.range.addEventListener("input", () => {
      model.set("position", Number(range.range.value));
      model.save_changes();
    });
    root.append(h("div", { class: "ex-walks-kinds", role: "group", "aria-label": "Walk" }, ...buttons), pictures, said, note, range.node);
    if (canAsk(view)) {
      const send = () => ({ kind: model.get("kind"), ...(model.get("kind") === "prompts" ? { second: words.value } : {}) });
      root.append(askRow(view, { words: "Walk it now", unit: "step", fields: [words], send, done: "The walk is done." }));
    } else root.append(onlyLive("Walking to a sentence of your own"));
    let shown = [];
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["kind", "_facts"], load);
    view.watch("position", ask);
    load();

    function choose(kind) {
      model.set("kind", kind);
      model.save_changes();
    }

    function load() {
      const kind = model.get("kind");
      const { walks: walked, count } = model.get("_facts");
      const one = walked[kind];
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(names[i] === kind)));
      words.hidden = kind !== "prompts";
      range.node.hidden = !one;
      shown = (one?.ways ?? []).map((way) => {
        const canvas = h("canvas", { role: "img" });
        return { way, canvas, told: h("span", { class: "ex-small ex-number" }), name: h("span", { text: way }) };
      });
      pictures.replaceChildren(...shown.map(({ canvas, told, name }) => h("figure", {}, canvas, h("figcaption", {}, name, told))));
      const [first] = Object.values(one?.lengths ?? {});
      range.draw(first ?? Array(count).fill(null), { floor: 0, ceiling: first ? 1.1 * Math.max(...first) : 1, level: first ? first[0] : null });
      note.textContent = first ? "The curve: how long the straight line's states are (RMS); dashed, the length at its beginning." : "";
      ask();
    }

    function draw() {
      const kind = model.get("kind");
      const one = model.get("_facts").walks[kind];
      said.textContent = one ? "" : "Not walked yet.";
      if (!one) return;
      const k = clamp(model.get("position"), 0, one.places.length - 1);
      shown.forEach(({ way, canvas, told }, row) => {
        const bitmap = frames.get(`${kind}-${row}`, k);
        if (bitmap) paint(canvas, bitmap, false);
        const length = one.lengths[way]?.[k];
        told.textContent = length === undefined ? "" : `length ${length.toFixed(3)}`;
        canvas.setAttribute("aria-label", `${way}, ${one.places[k]}`);
      });
      said.textContent = one.places[k];
      range.place(k, one.places[k]);
    }
  },
};
