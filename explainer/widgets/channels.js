// Channels: a tile for each, with a slider and a switch; the decoder follows a moment after the hand.

const REST_MS = 250;

const channels = {
  mount(view) {
    const { model, root } = view;
    const figures = ["As it was made", "From these channels", "The other picture"].map(figure);
    const tiles = h("div", { class: "ex-channels-tiles" });
    const key = h("p", { class: "ex-small ex-channels-key" });
    const live = canAsk(view);
    root.append(h("div", { class: "ex-channels" }, ...figures.map(({ node }) => node)));
    let form = null;
    if (live) {
      const reset = h("button", { class: "ex-button", type: "button", text: "All as they were", onclick: () => change(() => 1, () => false) });
      form = askRow(view, { words: "Decode", unit: "picture", fields: [reset], send: wanted, done: "Decoded." });
      root.append(form);
    } else root.append(onlyLive("Changing the channels"));
    root.append(key, tiles);
    let parts = [];
    let resting;
    view.signal.addEventListener("abort", () => clearTimeout(resting));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["_facts", "gains", "swapped"], ask);
    view.watch("_levels", load);
    load();

    function figure(words) {
      const canvas = h("canvas", { role: "img", "aria-label": words });
      const caption = h("figcaption", { class: "ex-small", text: words });
      return { canvas, caption, node: h("figure", {}, canvas, caption) };
    }

    function load() {
      const { shape, limit } = model.get("_facts");
      parts = Array.from({ length: shape[0] }, (_, c) => tile(c));
      tiles.replaceChildren(...parts.map(({ node }) => node));
      key.replaceChildren("The latents, channel by channel. ", legend(limit));
      ask();
    }

    function tile(c) {
      const canvas = h("canvas", { class: "ex-cells", role: "img" });
      const told = h("output", { class: "ex-small ex-number" });
      const range = h("input", {
        type: "range", min: 0, max: 2, step: 0.25, disabled: !live, "aria-label": `Channel ${c + 1}`,
        oninput: () => change((gain, i) => (i === c ? Number(range.value) : gain), (other) => other),
      });
      const toggle = h("button", {
        class: "ex-button ex-channels-swap", type: "button", text: "swap", disabled: !live, "aria-label": `Channel ${c + 1} from the other picture`,
        onclick: () => change((gain) => gain, (other, i) => (i === c ? !other : other)),
      });
      const row = h("div", { class: "ex-channels-row" }, told, toggle);
      return { canvas, told, range, toggle, node: h("figure", {}, canvas, range, row) };
    }

    /** A trait may come after the question, so what is wanted goes with it. */
    function wanted() {
      return { gains: model.get("gains"), swapped: model.get("swapped") };
    }

    function change(gain, other) {
      model.set("gains", model.get("gains").map(gain));
      model.set("swapped", model.get("swapped").map(other));
      model.save_changes();
      ask();
      clearTimeout(resting);
      resting = setTimeout(() => form.requestSubmit(), REST_MS);
    }

    function draw() {
      const { shape, prompts, shown } = model.get("_facts");
      const [, height, width] = shape;
      const levels = bytesOf(model.get("_levels"));
      const [gains, swapped] = [model.get("gains"), model.get("swapped")];
      [["pictures", 0], ["result", 0], ["pictures", 1]].forEach(([name, i], place) => {
        const bitmap = frames.get(name, i);
        if (bitmap) paint(figures[place].canvas, bitmap, false);
      });
      figures[0].canvas.setAttribute("aria-label", `As it was made: ${prompts[0]}`);
      figures[2].canvas.setAttribute("aria-label", `The other picture: ${prompts[1]}`);
      const changed = shown.gains.flatMap((gain, c) => (gain !== 1 || shown.swapped[c] ? [`${c + 1}${shown.swapped[c] ? " swapped" : ""} × ${gain}`] : []));
      figures[1].canvas.setAttribute("aria-label", `Decoded with ${changed.length ? `channels ${changed.join(", ")}` : "no channel changed"}`);
      const now = JSON.stringify(shown) === JSON.stringify({ gains, swapped });
      figures[1].caption.textContent = now ? "From these channels" : "From the channels as they were";
      parts.forEach(({ canvas, told, range, toggle }, c) => {
        const from = ((swapped[c] ? shape[0] : 0) + c) * height * width;
        const level = (i) => clamp(Math.round(127.5 + (levels[from + i] - 127.5) * gains[c]), 0, 255);
        canvas.style.aspectRatio = `${width} / ${height}`;
        paint(canvas, cellPicture(width, height, level), true);
        range.value = gains[c];
        told.textContent = gains[c] === 0 ? `${c + 1}: off` : `${c + 1}: × ${gains[c]}`;
        toggle.setAttribute("aria-pressed", String(swapped[c]));
        canvas.setAttribute("aria-label", `Channel ${c + 1}${swapped[c] ? " of the other picture" : ""}, × ${gains[c]}`);
      });
    }
  },
};
