// Style words: a row of cells for each layer, a column for each step; blue is less than a word of the scene gets.

const styleWords = {
  mount(view) {
    const { model, root } = view;
    const chips = h("div", { class: "ex-chips ex-style-words-chips", role: "group", "aria-label": "Words" });
    const said = h("p", { class: "ex-style-said ex-number" });
    const rows = h("div", { class: "ex-style-words" });
    const range = h("input", { type: "range", min: 0, step: 1, class: "ex-style-words-range", "aria-label": "Step" });
    const scale = h("span", { class: "ex-legend ex-small ex-number" });
    const key = h("p", { class: "ex-small ex-style-words-key" }, scale, " the attention of an average word of the scene. Upper rows come first in the denoiser; from left to right, step by step.");
    const empty = h("p", { class: "ex-small", text: "Nothing is read yet." });
    const waits = ghost();
    const board = h("div", {}, chips, said, rows, key);
    root.append(empty, waits, board);
    const { longest } = model.get("_form");
    const [sentence, style] = [sentenceBox({ maxlength: longest }), sentenceBox({ maxlength: longest })];
    if (canAsk(view)) {
      const fields = [labelled("Your own sentence", sentence), labelled("Style words", style)];
      root.append(askRow(view, { words: "Draw it and read", unit: "step", fields, send: () => ({ sentence: sentence.value, style: style.value }), done: "The words are read." }));
    } else root.append(onlyLive("Reading a sentence of your own"));
    range.addEventListener("input", () => set("step", Number(range.value)));
    let cells = [];
    let ratios = [];
    const ask = view.redraw(draw);
    view.watch(["step", "word"], ask);
    view.watch(["_facts", "shown"], load);
    view.watch("_form", fill);
    fill();
    load();

    function set(name, value) {
      model.set(name, value);
      model.save_changes();
      ask();
    }

    function fill() {
      sentence.value = model.get("_form").sentence;
      style.value = model.get("_form").style;
    }

    function load() {
      const facts = model.get("_facts");
      empty.hidden = Boolean(facts.steps);
      waits.hidden = !facts.steps || model.get("shown");
      board.hidden = !facts.steps || !model.get("shown");
      if (board.hidden) return;
      range.max = facts.steps - 1;
      const all = h("button", { class: "ex-button", type: "button", text: `all of “${facts.style}”`, "data-word": -1, onclick: () => set("word", -1) });
      const words = facts.words.flatMap((word, i) =>
        /[\p{L}\p{N}]/u.test(word)
          ? [h("button", { class: facts.styling[i] ? "ex-chip ex-style-words-own" : "ex-chip", type: "button", text: word, "data-word": i, onclick: () => set("word", i) })]
          : [],
      );
      chips.replaceChildren(all, ...words);
      cells = facts.layers.map(({ title }) => row(title));
      const last = row("mean of all", true);
      cells.push(last);
      rows.replaceChildren(...cells.flatMap(({ parts }) => parts), h("span"), range, h("span"));
      ask();
    }

    function row(title, sum = false) {
      const canvas = h("canvas", { class: "ex-cells", role: "img" });
      const told = h("span", { class: "ex-small ex-number" });
      const name = h("span", { class: sum ? "ex-style-words-name ex-style-words-sum" : "ex-style-words-name", text: title });
      for (const name of ["pointerdown", "pointermove"]) {
        canvas.addEventListener(name, (event) => set("step", cellUnder(event, canvas, model.get("_facts").steps, 1).x));
      }
      return { title, canvas, told, parts: [name, canvas, told] };
    }

    /** How many times the attention of an average word of the scene: by layer, then by step. */
    function ratiosOf(word) {
      const { words, styling, layers, steps, lead } = model.get("_facts");
      if (word < 0) return layers.map((_, l) => lead.map((row) => row[l]));
      const data = model.get("_shares");
      const shares = new DataView(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
      const at = (k, l, w) => shares.getFloat32(4 * ((k * layers.length + l) * words.length + w), true);
      const scene = styling.map((_, w) => w).filter((w) => !styling[w] && /[\p{L}\p{N}]/u.test(words[w]));
      return layers.map((_, l) =>
        Array.from({ length: steps }, (_, k) => {
          const mean = scene.reduce((sum, w) => sum + at(k, l, w), 0) / scene.length;
          return mean > 0 ? at(k, l, word) / mean : null;
        }),
      );
    }

    function draw() {
      const { steps, words, count, style: phrase } = model.get("_facts");
      if (board.hidden) return;
      const word = model.get("word");
      const step = clamp(model.get("step"), 0, steps - 1);
      ratios = ratiosOf(word);
      ratios.push(Array.from({ length: steps }, (_, k) => meanOf(ratios.map((row) => row[k]))));
      const reach = octavesOf(ratios.flat());
      scale.replaceChildren(...ratioLegend(...reach));
      for (const chip of chips.children) chip.setAttribute("aria-pressed", String(Number(chip.dataset.word) === word));
      cells.forEach(({ title, canvas, told }, l) => {
        const level = (k) => levelOfRatio(ratios[l][k], ...reach);
        canvas.style.aspectRatio = "auto";
        paintRow(canvas, cellPicture(steps, 1, level), step, steps);
        told.textContent = times(ratios[l][step]);
        canvas.setAttribute("aria-label", `${title}: ${told.textContent} at step ${step + 1}, ${times(meanOf(ratios[l]))} on average`);
      });
      const name = word < 0 ? `A word of “${phrase}”` : word < count ? `“${words[word]}”` : { start: "The token that begins the text", end: "The token that ends the text", padding: "All padding together" }[words[word].slice(1, -1)];
      const told = `${name} gets ${times(meanOf(ratios.at(-1)))} the attention of an average word of the scene; at step ${step + 1} of ${steps}, ${times(ratios.at(-1)[step])}`;
      said.textContent = `${told}.`;
      range.value = step;
      range.setAttribute("aria-valuetext", `step ${step + 1}: ${times(ratios.at(-1)[step])}`);
    }
  },
};

function meanOf(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

function times(ratio) {
  return ratio === null ? "unknown" : `${ratio < 10 ? ratio.toFixed(2) : Math.round(ratio)} ×`;
}

/** One row of cells over the whole canvas, the present step framed. */
function paintRow(canvas, bitmap, step, steps) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  frameCell(canvas, step, steps, 1);
}

/** The whole octaves, but for rounding, that the ratios reach below 1 and above it: the colours are spread over these. */
function octavesOf(ratios) {
  const octaves = ratios.filter((ratio) => ratio > 0).map(Math.log2);
  return [Math.floor(Math.min(0, ...octaves) + 0.01), Math.ceil(Math.max(0, ...octaves) - 0.01)];
}

/** The middle of the scale is 1, however far each of its halves reaches. */
function levelOfRatio(ratio, low, high) {
  if (ratio === null) return null;
  const octaves = Math.log2(ratio);
  const share = octaves < 0 ? octaves / -Math.min(low, -1) : octaves / Math.max(high, 1);
  return clamp(Math.round(127.5 + 127.5 * share), 0, 255);
}

/** The colours in use, between what their ends mean. */
function ratioLegend(low, high) {
  const middle = (SCALE.length - 1) / 2;
  const colours = SCALE.slice(low < 0 ? 0 : middle, high > 0 || low === 0 ? SCALE.length : middle + 1);
  const bar = h("span", { class: "ex-legend-bar" });
  bar.style.background = `linear-gradient(90deg, ${colours.join(", ")})`;
  const end = (octaves) => (octaves < 0 ? `1/${2 ** -octaves} ×` : `${2 ** octaves} ×`);
  return [end(low), bar, end(low < 0 || high > 0 ? high : 1)];
}
