// The compression: every number of the picture and of its latents is one dot, all dots of one size.

const compression = {
  mount(view) {
    const { model, root } = view;
    const canvas = h("canvas", { class: "ex-compression-canvas", role: "img" });
    const said = h("p", { class: "ex-compression-said ex-number" });
    const key = h("p", { class: "ex-small" });
    const table = h("div", { class: "ex-compression-table ex-scrolls", tabindex: 0, role: "region", "aria-label": "Models compared" });
    const timed = h("p", { class: "ex-compression-timed ex-number", hidden: true });
    const waits = ghost();
    const board = h("div", {}, said, canvas, key, table, timed);
    root.append(waits, board);
    if (canAsk(view)) {
      const words = "Time a step on both, here";
      root.append(askRow(view, { words, unit: "layer", send: () => ({}), done: "Both steps were timed." }));
    } else root.append(onlyLive("Timing both on your computer"));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("_facts", load);
    view.watch("shown", showBoard);
    view.watch("_seconds", () => {
      tell();
      if (!timed.hidden) view.say(timed);
    });
    load();
    tell();
    showBoard();

    function showBoard() {
      waits.hidden = model.get("shown");
      board.hidden = !model.get("shown");
    }

    function load() {
      const { rows, limit } = model.get("_facts");
      const [first] = rows;
      said.replaceChildren(
        h("strong", { text: `${many(first.numbers[0])} numbers` }),
        ` for the picture, `,
        h("strong", { text: `${many(first.numbers[1])}` }),
        ` for its latents: ${times(first.factor)} fewer`,
      );
      key.replaceChildren(`Above: how red, how green, how blue each pixel is. Below: the ${first.latents[0]} channels of the latents. `, legend(limit));
      table.replaceChildren(tableOf(rows));
      ask();
    }

    function tell() {
      const { latents, pixels } = model.get("_seconds");
      timed.hidden = latents === undefined;
      if (timed.hidden) return;
      timed.textContent =
        `Timed here: one step took ${inSeconds(latents)} on latents and ${inSeconds(pixels)} on pixels, ` +
        `${times(pixels / latents)} as long.`;
    }

    function draw() {
      const { rows } = model.get("_facts");
      const bitmap = frames.get("picture", 0);
      if (!bitmap) return;
      drawToScale(canvas, bitmap, bytesOf(model.get("_latents")), rows[0]);
      canvas.setAttribute("aria-label", `The picture's ${rows[0].picture.join(" × ")} numbers above, its ${rows[0].latents.join(" × ")} latents below, all at one scale`);
    }
  },
};

function drawToScale(canvas, bitmap, levels, { picture, latents }) {
  const [, height, width] = picture;
  const [depth, rows, columns] = latents;
  const gap = Math.max(2, Math.round(width / 24));
  const across = 3 * width + 2 * gap;
  const fit = Math.max(1, Math.floor((across + gap) / (columns + gap)));
  const lines = Math.ceil(depth / fit);
  // Twice as many pixels as numbers, so that a latent's cell stays sharp on any screen.
  canvas.width = 2 * across;
  canvas.height = 2 * (height + gap + lines * (rows + gap));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.scale(2, 2);
  colourPlanes(bitmap, width, height).forEach((plane, c) => context.drawImage(plane, c * (width + gap), 0));
  for (let c = 0; c < depth; c += 1) {
    const plane = cellPicture(columns, rows, (i) => levels[c * rows * columns + i]);
    context.drawImage(plane, (c % fit) * (columns + gap), height + gap + Math.floor(c / fit) * (rows + gap));
  }
}

/** Red, green and blue of a picture, each alone. */
function colourPlanes(bitmap, width, height) {
  const all = new OffscreenCanvas(width, height);
  const context = all.getContext("2d");
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return [0, 1, 2].map((c) => {
    const plane = new OffscreenCanvas(width, height);
    const pixels = new ImageData(width, height);
    for (let i = 0; i < data.length; i += 4) {
      pixels.data[i + c] = data[i + c];
      pixels.data[i + 3] = 255;
    }
    plane.getContext("2d").putImageData(pixels, 0, 0);
    return plane;
  });
}

function tableOf(rows) {
  const head = ["", "picture", "latents", "fewer numbers", "a step on latents", "on pixels", "more operations"];
  const cell = (text, span) => h("td", { class: "ex-number", colspan: span, text });
  const cells = ({ picture, latents, factor, flop }) => [
    cell(`${picture[2]} × ${picture[1]} × ${picture[0]}`),
    cell(`${latents[2]} × ${latents[1]} × ${latents[0]}`),
    cell(times(factor)),
    ...(flop ? [operations(flop[0]), operations(flop[1]), times(flop[1] / flop[0])].map((text) => cell(text)) : [cell("not counted: a transformer", 3)]),
  ];
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, h("th", { scope: "row", text: row.model }), ...cells(row)))),
  );
}

function many(count) {
  return count.toLocaleString("en-GB");
}

function times(factor) {
  return `${factor < 10 ? factor.toFixed(1).replace(/\.0$/, "") : many(Math.round(factor))} ×`;
}

function operations(count) {
  const [unit, name] = [[1e15, "quadrillion"], [1e12, "trillion"], [1e9, "billion"], [1e6, "million"]].find(([size]) => count >= size) ?? [1, ""];
  const value = count / unit;
  return `${value < 100 ? value.toPrecision(2).replace(/\.0$/, "") : Math.round(value)} ${name}`.trim();
}

function inSeconds(time) {
  return time < 1 ? `${Math.round(1000 * time)} ms` : `${time.toFixed(1)} s`;
}
