// Panels: pictures and latents of several kinds at one position of a slider that lies on a curve.

const panels = {
  mount(view) {
    const { model, root } = view;
    const title = h("strong", { class: "ex-panels-title ex-number" });
    const facts = h("span", { class: "ex-panels-facts ex-number" });
    const pictures = h("div", { class: "ex-panels-pictures" });
    const channels = h("div", { class: "ex-panels-channels", role: "group", "aria-label": "Channel of the latents" });
    const grid = h("div", { class: "ex-panels-grid" });
    const reading = h("p", { class: "ex-small ex-number ex-panels-reading" });
    const words = h("p", { class: "ex-small" });
    const waits = ghost();
    const slot = h("div");
    root.append(
      h("p", { class: "ex-panels-readout" }, title, facts),
      slot,
      waits,
      words,
      pictures,
      channels,
      grid,
      reading,
    );
    let layout;
    let bits;
    let shown;
    let tiles;
    let slider;
    let channel = 0;
    let pointed = null;
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("position", ask);
    view.watch(["_layout", "shown"], load);
    load();

    function load() {
      layout = model.get("_layout");
      const data = model.get("_values");
      bits = new DataView(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
      shown = layout.pictures.map(picture);
      pictures.replaceChildren(...shown.map(({ node }) => node));
      pointed = null;
      tiles = layout.panels.map(tile);
      renew(grid, ...tiles.map(({ node }) => node));
      channel = Math.min(channel, layout.shape[1] - 1);
      renew(
        channels,
        h("span", { class: "ex-small", text: "Channel" }),
        ...Array.from({ length: layout.shape[1] }, (_, c) => channelButton(c)),
      );
      slider = curveSlider(layout.slider);
      const known = layout.curve.filter((value) => value !== null);
      const curve = model.get("shown") ? layout.curve : layout.curve.map(() => null);
      slider.draw(curve, { floor: 0, ceiling: 1.08 * Math.max(...known, 1e-9) });
      slider.range.addEventListener("input", () => {
        model.set("position", Number(slider.range.value));
        model.save_changes();
      });
      renew(slot, slider.node);
      waits.hidden = model.get("shown");
      words.hidden = !waits.hidden;
      words.textContent = layout.curve_words;
      ask();
    }

    function picture(text) {
      const canvas = h("canvas", { role: "img" });
      return { canvas, text, node: h("figure", {}, canvas, h("figcaption", { class: "ex-small", text })) };
    }

    function channelButton(c) {
      return h("button", {
        class: "ex-button ex-button-quiet ex-number",
        type: "button",
        text: String(c + 1),
        onclick: () => {
          channel = c;
          ask();
        },
      });
    }

    function tile({ name, meaning, limit }) {
      const canvas = h("canvas", { class: "ex-cells" });
      const size = h("span", { class: "ex-small ex-number" });
      readCells(view, canvas, reading, { size: gridSize, at: () => pointed, choose: point });
      const caption = h(
        "figcaption",
        {},
        h("span", { class: "ex-panels-name", text: name }),
        h("span", { class: "ex-small", text: meaning }),
        size,
        legend(limit),
      );
      return { canvas, size, node: h("figure", {}, canvas, caption) };
    }

    function gridSize() {
      const [, , height, width] = layout.shape;
      return [width, height];
    }

    function point(cell) {
      pointed = cell;
      ask();
    }

    function value(panel, k, cell) {
      const [count, depth, height, width] = layout.shape;
      const place = ((panel * count + k) * depth + channel) * height * width + cell;
      return fromHalf(bits.getUint16(2 * place, true));
    }

    function draw() {
      const [count, , height, width] = layout.shape;
      const k = clamp(model.get("position"), 0, count - 1);
      const [where, what] = layout.positions[k];
      title.textContent = where;
      facts.textContent = what;
      slider.place(k, `${where}: ${what}`);
      shown.forEach(({ canvas, text }, i) => {
        const name = `pictures-${i}`;
        const bitmap = frames.get(name, Math.min(k, frames.count(name) - 1));
        if (bitmap) paint(canvas, bitmap, false);
        canvas.setAttribute("aria-label", `${text}, ${where}`);
      });
      tiles.forEach(({ canvas, size }, i) => {
        const { limit, name, rms } = layout.panels[i];
        const level = (cell) => clamp(Math.round(127.5 + (127.5 * value(i, k, cell)) / limit), 0, 255);
        canvas.style.aspectRatio = `${width} / ${height}`;
        paint(canvas, cellPicture(width, height, level), true);
        if (pointed) frameCell(canvas, pointed.i, width, height);
        size.textContent = `RMS ${rms[k].toFixed(3)}`;
        canvas.setAttribute("aria-label", `${name}, channel ${channel + 1}, ${where}, ${size.textContent}. Arrow keys read its cells.`);
      });
      [...channels.querySelectorAll("button")].forEach((button, c) =>
        button.setAttribute("aria-pressed", String(c === channel)),
      );
      reading.textContent = pointed
        ? `Row ${pointed.y + 1}, column ${pointed.x + 1}: ` +
          layout.panels.map(({ name }, i) => `${name} ${signed(value(i, k, pointed.i))}`).join(" · ")
        : "Point at a cell to read it in every panel. RMS, the root mean square over all channels, says how large the numbers are.";
    }
  },
};
