// Pictures side by side, each with its caption.

/** How many pictures in a row, so that the last row is as full as the others where that can be. */
function columnsFor(count) {
  return count < 4 ? count : [4, 3].find((columns) => count % columns === 0) ?? 4;
}

const gallery = {
  mount(view) {
    const { model, root } = view;
    const row = h("ul", { class: "ex-gallery" });
    root.append(row);
    let canvases = [];
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("_captions", load);
    load();

    function load() {
      canvases = model.get("_captions").map(([title]) => h("canvas", { role: "img", "aria-label": title }));
      row.replaceChildren(...model.get("_captions").map(item));
      row.style.setProperty("--columns", columnsFor(canvases.length));
      ask();
    }

    function item([title, detail], i) {
      return h(
        "li",
        {},
        h(
          "figure",
          {},
          canvases[i],
          h(
            "figcaption",
            {},
            h("span", { class: "ex-gallery-title", text: title }),
            detail ? h("span", { class: "ex-small ex-number", text: detail }) : null,
          ),
        ),
      );
    }

    function draw() {
      canvases.forEach((canvas, i) => {
        const bitmap = frames.get("pictures", i);
        if (bitmap) paint(canvas, bitmap, false);
      });
    }
  },
};
