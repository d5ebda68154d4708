// The latents of a run at one step, a small picture for each channel; `step` may be linked to a player's.

const latentGrid = {
  mount(view) {
    const { model, root } = view;
    const title = h("p", { class: "ex-title ex-number" });
    const scale = h("span");
    const range = h("input", { type: "range", class: "ex-latents-range", min: 0, step: 1, "aria-label": "Step of the run" });
    const ends = ["noise", "picture"].map((text) => h("span", { class: "ex-small", "aria-hidden": "true", text }));
    const slider = h("div", { class: "ex-latents-step" }, ends[0], range, ends[1]);
    const grid = h("div", { class: "ex-latents" });
    const reading = h("p", { class: "ex-small ex-number" });
    root.append(
      h("div", { class: "ex-cells-head" }, title, scale),
      slider,
      grid,
      h("div", { class: "ex-cells-foot" }, reading),
    );
    let tiles = [];
    let pointed = null;
    const ask = view.redraw(draw);
    view.watch("step", ask);
    view.watch("_levels", load);
    range.addEventListener("input", () => {
      model.set("step", Number(range.value));
      model.save_changes();
    });
    load();

    function load() {
      const { channels = 0 } = model.get("_shape");
      tiles = Array.from({ length: channels }, (_, c) => tile(c));
      grid.replaceChildren(...tiles.map(({ node }) => node));
      scale.replaceChildren(legend(model.get("_limit")));
      pointed = null;
      ask();
    }

    function tile(channel) {
      const canvas = h("canvas", { class: "ex-cells" });
      const node = h("figure", {}, canvas, h("figcaption", { class: "ex-small", text: `channel ${channel + 1}` }));
      readCells(view, canvas, reading, { size: gridSize, at: () => pointed, choose: (cell) => point(cell && { channel, ...cell }) });
      return { canvas, node };
    }

    function gridSize() {
      const { width, height } = model.get("_shape");
      return [width, height];
    }

    function point(cell) {
      pointed = cell;
      ask();
    }

    function draw() {
      const { states, channels, height, width, total } = model.get("_shape");
      const k = clamp(model.get("step"), 0, states - 1);
      const levels = bytesOf(model.get("_levels"));
      const size = height * width;
      const limit = model.get("_limit");
      const spread = model.get("_spreads")[k];
      const value = (c, i) => ((levels[(k * channels + c) * size + i] / 127.5 - 1) * limit) * spread;
      slider.hidden = states < 2;
      range.max = states - 1;
      range.value = k;
      range.setAttribute("aria-valuetext", `Step ${k} of ${total}`);
      title.textContent = `Latents after step ${k} of ${total}`;
      tiles.forEach(({ canvas }, c) => {
        canvas.style.aspectRatio = `${width} / ${height}`;
        paint(canvas, cellPicture(width, height, (i) => levels[(k * channels + c) * size + i]), true);
        if (pointed?.channel === c) frameCell(canvas, pointed.i, width, height);
        canvas.setAttribute("aria-label", `Channel ${c + 1} of the latents after step ${k} of ${total}. Arrow keys read its cells.`);
      });
      reading.textContent = pointed
        ? `Channel ${pointed.channel + 1}, row ${pointed.y + 1}, column ${pointed.x + 1}: ${signed(value(pointed.channel, pointed.i))}`
        : `${channels} × ${height} × ${width} numbers, in units of their spread (now ${spread.toFixed(2)}); point at one to read it`;
    }
  },
};
