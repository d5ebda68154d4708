// Vectors as strips of coloured cells on one scale; a cell that is pointed at is named in all strips.

const CELL_PX = 10;

const fingerprint = {
  mount(view) {
    const { model, root } = view;
    const strips = h("div", { class: "ex-fingerprints" });
    const reading = h("p", { class: "ex-small ex-number" });
    const scale = h("span");
    root.append(strips, h("div", { class: "ex-cells-foot" }, reading, scale));
    let at = null;
    let drawn = [];
    const ask = view.redraw(draw);
    view.watch(["_values", "_labels"], load);
    load();

    function load() {
      const labels = model.get("_labels");
      const bytes = bytesOf(model.get("_values"));
      // A copy, since a float array must begin at a multiple of four bytes.
      const values = new Float32Array(bytes.slice().buffer);
      const size = labels.length ? values.length / labels.length : 0;
      at = null;
      drawn = labels.map((label, i) => strip(label, values.subarray(i * size, (i + 1) * size)));
      strips.replaceChildren(...drawn.map(({ node }) => node));
      scale.replaceChildren(legend(model.get("_limit")));
      ask();
    }

    function strip(label, values) {
      const canvas = h("canvas", { class: "ex-cells" });
      canvas.setAttribute(
        "aria-label",
        `${label || "Vector"}: ${values.length} numbers from ${signed(Math.min(...values))} to ` +
          `${signed(Math.max(...values))}. Arrow keys read them one by one.`,
      );
      const one = { values, label, canvas, columns: 1, rows: 1 };
      readable(view, canvas, reading, {
        over: (event) => point(cellUnder(event, canvas, one.columns, one.rows).i),
        leave: () => point(null),
        step: (right, down) => point(at === null ? 0 : clamp(at + right + down * one.columns, 0, values.length - 1)),
      });
      one.node = h("figure", {}, h("figcaption", { class: "ex-title", text: label }), canvas);
      return one;
    }

    function point(i) {
      at = i !== null && i < (drawn[0]?.values.length ?? 0) ? i : null;
      ask();
    }

    function draw() {
      for (const one of drawn) drawStrip(one);
      reading.textContent =
        at === null
          ? `${drawn[0]?.values.length ?? 0} numbers; point at one to read it`
          : `Number ${at + 1}: ${drawn.map(({ values }) => signed(values[at])).join("  ·  ")}`;
    }

    function drawStrip(one) {
      const { canvas, values } = one;
      const fit = 2 ** Math.floor(Math.log2(Math.max(1, root.clientWidth / CELL_PX)));
      one.columns = Math.min(values.length, fit);
      one.rows = Math.ceil(values.length / one.columns);
      const limit = model.get("_limit");
      const level = (i) =>
        i < values.length ? clamp(Math.round(127.5 + (127.5 * values[i]) / limit), 0, 255) : null;
      canvas.style.aspectRatio = `${one.columns} / ${one.rows}`;
      paint(canvas, cellPicture(one.columns, one.rows, level), true);
      if (at !== null) frameCell(canvas, at, one.columns, one.rows);
    }
  },
};
