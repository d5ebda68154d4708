// The sketch: a small canvas with a few colours; what it became is shown below, with where it began.

const PAPER = "#fbf6ea";
// Okabe and Ito's colours, which readers with any colour vision can tell apart, and black and paper.
const PENCILS = [["black", "#1c1a18"], ["blue", "#0072b2"], ["sky", "#56b4e9"], ["green", "#009e73"], ["yellow", "#f0e442"], ["orange", "#e69f00"], ["red", "#d55e00"], ["pink", "#cc79a7"], ["paper", PAPER]];
const PLACES = 20; // that the arrow keys go to, a side
const THICK = { thin: 0.02, middling: 0.06, thick: 0.16 };

const sketch = {
  mount(view) {
    const { model, root } = view;
    const { size, titles, prompt, longest, steps } = model.get("_facts");
    const paper = h("canvas", { class: "ex-sketch-paper", "aria-label": "Your sketch. Draw with the pointer, or choose an example; arrows move, Enter puts a dot", width: size, height: size });
    const cursor = h("span", { class: "ex-sketch-cursor", "aria-hidden": "true" });
    const context = paper.getContext("2d", { willReadFrequently: true });
    const colours = PENCILS.map(([name, code]) => {
      const button = h("button", { class: "ex-button ex-sketch-colour", type: "button", "aria-label": name, title: name, onclick: () => pick(name) });
      button.style.setProperty("background", code, "important"); // also where it is pressed
      return button;
    });
    const sizes = Object.keys(THICK).map((name) => h("button", { class: "ex-button ex-button-quiet", type: "button", text: name, onclick: () => ((thick = name), mark()) }));
    const examples = titles.map((title, i) => h("button", { class: "ex-button", type: "button", text: title, onclick: () => example(i) }));
    const clear = h("button", { class: "ex-button", type: "button", text: "Empty paper", onclick: empty });
    const words = sentenceBox({ "aria-label": "What it is to be", value: prompt, maxlength: longest });
    const strength = h("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: 0.6, "aria-label": "Strength", oninput: mark });
    const told = h("span", { class: "ex-small ex-number" });
    const results = [["sketch", "Your sketch"], ["noised", "With noise: where it begins"], ["picture", "What came out"]].map(([name, text]) => {
      const canvas = h("canvas", { role: "img", "aria-label": text });
      return { name, canvas, node: h("figure", {}, canvas, h("figcaption", { class: "ex-small", text })) };
    });
    const board = h("div", { class: "ex-sketch-results", hidden: true }, ...results.map(({ node }) => node));
    const caption = h("p", { class: "ex-small ex-number", hidden: true });
    root.append(
      h(
        "div",
        { class: "ex-sketch" },
        h("div", { class: "ex-sketch-board" }, paper, cursor),
        h(
          "div",
          { class: "ex-sketch-tools" },
          h("div", { class: "ex-sketch-row", role: "group", "aria-label": "Colour" }, ...colours),
          h("div", { class: "ex-sketch-row", role: "group", "aria-label": "Thickness" }, ...sizes),
          h("div", { class: "ex-sketch-row", role: "group", "aria-label": "Begin with" }, clear, ...examples),
          h("label", { class: "ex-sketch-row" }, "Strength ", strength, told),
        ),
      ),
    );
    if (canAsk(view)) {
      const send = () => ({ prompt: words.value, strength: Number(strength.value) });
      // A trait may come after the question, so the pixels go with it.
      const buffers = () => [drawn()];
      root.append(askRow(view, { words: "Make a picture of it", unit: "step", fields: [words], send, buffers, done: "The picture is done." }));
    } else root.append(onlyLive("Making a picture of your sketch"));
    root.append(board, caption);
    let colour = "blue";
    let thick = "middling";
    let last = null;
    let place = { x: PLACES / 2, y: PLACES / 2 };
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("_result", ask);
    view.watch("_pixels", show);
    strokes(paper, { begin: (event) => dot((last = at(event))), over: (event) => line(last, (last = at(event))), end: keep });
    cellCursor(view, paper, { size: () => [PLACES, PLACES], at: () => place, moved: go, press });
    show();
    mark();
    go(place);

    function pick(name) {
      colour = name;
      mark();
    }

    function mark() {
      colours.forEach((button, i) => button.setAttribute("aria-pressed", String(PENCILS[i][0] === colour)));
      sizes.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === thick)));
      const taken = Math.floor(steps * Number(strength.value));
      told.textContent = `${Math.round(100 * strength.value)} %: the last ${taken} of ${steps} steps`;
      strength.setAttribute("aria-valuetext", told.textContent);
    }

    function at(event) {
      const box = paper.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * size, ((event.clientY - box.top) / box.height) * size];
    }

    function go(cell) {
      place = cell;
      cursor.style.left = `${(100 * cell.x) / PLACES}%`;
      cursor.style.top = `${(100 * cell.y) / PLACES}%`;
    }

    function press({ x, y }) {
      dot([x, y].map((cell) => ((cell + 0.5) / PLACES) * size));
      keep();
    }

    function dot([x, y]) {
      line([x - 0.01, y], [x, y]); // a line without length is not drawn
    }

    function line(from, to) {
      context.strokeStyle = Object.fromEntries(PENCILS)[colour];
      context.lineWidth = Math.max(1, THICK[thick] * size);
      context.lineCap = "round";
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
    }

    function empty() {
      context.fillStyle = PAPER;
      context.fillRect(0, 0, size, size);
      keep();
    }

    function example(i) {
      const length = 3 * size * size;
      const all = bytesOf(model.get("_choices"));
      set(new DataView(all.slice(i * length, (i + 1) * length).buffer));
      show();
    }

    /** What is on the paper, as RGB bytes. */
    function drawn() {
      const { data } = context.getImageData(0, 0, size, size);
      return new DataView(data.filter((_, i) => i % 4 !== 3).buffer);
    }

    function keep() {
      set(drawn());
    }

    function set(picture) {
      view.notify({});
      model.set("_pixels", picture);
      model.save_changes();
    }

    function show() {
      const bytes = bytesOf(model.get("_pixels"));
      const image = new ImageData(size, size);
      for (let i = 0; i < size * size; i += 1) {
        image.data.set([bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2], 255], 4 * i);
      }
      context.putImageData(image, 0, 0);
    }

    function draw() {
      const result = model.get("_result");
      board.hidden = caption.hidden = result.steps === undefined;
      if (board.hidden) return;
      for (const { name, canvas } of results) {
        const bitmap = frames.get(name, 0);
        if (bitmap) paint(canvas, bitmap, false);
      }
      caption.textContent = `“${result.prompt}”, strength ${Math.round(100 * result.strength)} %: ${result.steps} of ${steps} steps were taken.`;
      results[2].canvas.setAttribute("aria-label", `What came out: ${result.prompt}`);
    }
  },
};
