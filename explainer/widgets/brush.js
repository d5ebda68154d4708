// The brush: a grid of cells to paint on with pointer or keys; what was painted is sent as one goes.

const SEND_MS = 250;
const BRUSHES = [
  ["noise", "Noise", "adds random numbers to all channels"],
  ["shift", "Shift", "adds one number to the channel on show"],
  ["copy", "Copy", "the first click says from where, the next ones paint it"],
  ["reach", "Ask a cell", "shows which pixels depend on the cell you click"],
];

const brush = {
  mount(view) {
    const { model, root } = view;
    const grid = h("canvas", { class: "ex-cells ex-brush-grid" });
    const [before, after, reached] = ["As it was made", "Decoded now", ""].map(figure);
    const told = h("p", { class: "ex-small ex-number ex-brush-told" });
    const help = h("p", { class: "ex-small" });
    const live = canAsk(view);
    grid.toggleAttribute("data-live", live);
    const toolButtons = BRUSHES.map(([name, text]) => h("button", { class: "ex-button", type: "button", text, disabled: !live, onclick: () => choose(name) }));
    const amount = h("input", { type: "range", min: 0.5, max: 4, step: 0.5, value: 2, "aria-label": "Strength", oninput: () => ask() });
    const strength = h("span", { class: "ex-small ex-number" });
    const wide = h("button", { class: "ex-button ex-button-quiet", type: "button", text: "wide brush", "aria-pressed": "true", onclick: () => ((radius = 1 - radius), ask()) });
    const layers = h("div", { class: "ex-brush-row", role: "group", "aria-label": "Channel on show" });
    const scale = h("span");
    const undo = h("button", { class: "ex-button", type: "button", text: "Undo", onclick: () => send({ what: "undo" }) });
    root.append(
      h("div", { class: "ex-brush-row", role: "group", "aria-label": "Brush" }, ...toolButtons),
      help,
      h("div", { class: "ex-brush" }, h("figure", {}, grid, h("figcaption", { class: "ex-small", text: "The latents: paint here" })), after.node, before.node, reached.node),
      told,
      layers,
      h("div", { class: "ex-brush-row" }, h("label", { class: "ex-brush-row" }, "Strength ", amount, strength), wide),
    );
    if (live) root.append(askRow(view, { words: "Take everything back", unit: "part", fields: [undo], quiet: true, send: () => ({ what: "reset" }), done: "Decoded." }));
    else root.append(onlyLive("Painting"));
    let tool = "noise";
    let channel = 0;
    let channelButtons = [];
    let radius = 1;
    let source = null;
    let start = null;
    let cursor = { row: 0, column: 0 };
    let waiting = new Map();
    let timer = null;
    view.signal.addEventListener("abort", () => clearTimeout(timer));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["_facts", "_levels"], ask);
    if (live) strokes(grid, { begin: (event) => begin(cellAt(event)), over: (event) => start && over(cellAt(event)), end: finish });
    cellCursor(view, grid, { size, at: () => ({ x: cursor.column, y: cursor.row }), moved: ({ x, y }) => place({ row: y, column: x }), press });
    grid.addEventListener("focus", ask);
    grid.addEventListener("blur", ask);
    choose("noise");

    function figure(words) {
      const canvas = h("canvas", { role: "img", "aria-label": words });
      const caption = h("figcaption", { class: "ex-small ex-number", text: words });
      return { canvas, caption, node: h("figure", {}, canvas, caption) };
    }

    function choose(name) {
      tool = name;
      source = null;
      ask();
    }

    function send(content) {
      model.send({ type: "ask", ...content });
    }

    /** The cell under the pointer; outside the grid there is none. */
    function cellAt(event) {
      const [, height, width] = model.get("_facts").shape;
      const box = grid.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * width);
      const row = Math.floor(((event.clientY - box.top) / box.height) * height);
      return row >= 0 && column >= 0 && row < height && column < width ? { row, column } : null;
    }

    function begin(cell) {
      if (!cell) return;
      cursor = cell;
      view.notify({});
      if (tool === "reach") send({ what: "reach", ...cell });
      else if (tool === "copy" && !source) {
        source = cell;
        view.say(`Copying from row ${cell.row + 1}, column ${cell.column + 1}`);
      } else {
        start = cell;
        over(cell);
      }
      ask();
    }

    function over(cell) {
      if (!cell) return;
      cursor = cell;
      for (let down = -radius; down <= radius; down += 1) {
        for (let right = -radius; right <= radius; right += 1) {
          const [row, column] = [cell.row + down, cell.column + right];
          waiting.set(`${row} ${column}`, [row, column]);
        }
      }
      timer ??= setTimeout(pass, SEND_MS);
      ask();
    }

    /** Send what was painted since the last time. */
    function pass() {
      clearTimeout(timer);
      timer = null;
      const cells = [...waiting.values()];
      waiting = new Map();
      if (!cells.length) return;
      const content = { what: "paint", tool, cells, amount: Number(amount.value) };
      if (tool === "shift") content.channel = channel;
      if (tool === "copy") content.source = [source.row + cells[0][0] - start.row, source.column + cells[0][1] - start.column];
      send(content);
    }

    function finish() {
      pass();
      start = null;
    }

    function size() {
      const [, height, width] = model.get("_facts").shape;
      return [width, height];
    }

    function place(cell) {
      cursor = cell;
      ask();
    }

    function press() {
      if (!live) return;
      begin(cursor);
      finish();
    }

    function channelButton(c) {
      return h("button", { class: "ex-button ex-button-quiet ex-number", type: "button", text: String(c + 1), onclick: () => ((channel = c), ask()) });
    }

    /** Made anew only for another number of channels: the button that is pressed must stay. */
    function showChannels(depth) {
      if (channelButtons.length !== depth) {
        channelButtons = Array.from({ length: depth }, (_, c) => channelButton(c));
        layers.replaceChildren(h("span", { class: "ex-small", text: "Channel" }), ...channelButtons, scale);
      }
      channelButtons.forEach((button, c) => button.setAttribute("aria-pressed", String(c === channel)));
    }

    function draw() {
      const { shape, limit, strokes, reach } = model.get("_facts");
      const [depth, height, width] = shape;
      const levels = bytesOf(model.get("_levels"));
      const from = channel * height * width;
      for (const canvas of [grid, before.canvas, after.canvas, reached.canvas]) canvas.style.aspectRatio = `${width} / ${height}`;
      paint(grid, cellPicture(width, height, (i) => levels[from + i]), true);
      for (const [row, column] of waiting.values()) {
        if (row >= 0 && column >= 0 && row < height && column < width) frameCell(grid, row * width + column, width, height);
      }
      if (source) frameCell(grid, source.row * width + source.column, width, height);
      if (document.activeElement === grid) frameCell(grid, cursor.row * width + cursor.column, width, height);
      grid.setAttribute("aria-label", `Channel ${channel + 1} of ${depth}, ${height} × ${width} cells, ${strokes} strokes. Arrows move, Enter paints.`);
      [[before, "before"], [after, "after"], [reached, "reach"]].forEach(([{ canvas, node }, name]) => {
        const bitmap = frames.get(name, 0);
        node.hidden = !frames.count(name);
        if (bitmap) paint(canvas, bitmap, name === "reach");
      });
      if (reach.most !== undefined) {
        reached.caption.textContent =
          `What depends on the cell in row ${reach.row + 1}, column ${reach.column + 1}: ${reach.pixels} pixels move by a grey level or more, ` +
          `${Math.round(100 * reach.own)} % of the effect is on its own ${reach.side[1]} × ${reach.side[0]} pixels; white is ${reach.most.toFixed(0)} levels`;
        reached.canvas.setAttribute("aria-label", reached.caption.textContent);
      }
      toolButtons.forEach((button, i) => button.setAttribute("aria-pressed", String(BRUSHES[i][0] === tool)));
      wide.setAttribute("aria-pressed", String(radius === 1));
      help.textContent = `${BRUSHES.find(([name]) => name === tool)[1]}: ${BRUSHES.find(([name]) => name === tool)[2]}.`;
      strength.textContent = `${amount.value}`;
      told.textContent = `${strokes} ${strokes === 1 ? "stroke" : "strokes"} · row ${cursor.row + 1}, column ${cursor.column + 1}: ${signed((levels[from + cursor.row * width + cursor.column] / 127.5 - 1) * limit)}`;
      showChannels(depth);
      scale.replaceChildren(legend(limit));
    }
  },
};
