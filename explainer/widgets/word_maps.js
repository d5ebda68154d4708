// Each word's attention over the predicted picture, step by step; beside it what changes without it.

const WORD_LEVELS = 2 ** 16 - 1;
const WORD_GUESSES = ["where it is looked up", "somewhere else", "all over the picture", "almost nowhere"];
const NO_WORD = "no word";
const HEAT = [[110, 44, 4], [214, 108, 24], [255, 226, 140]];

/** Percent of a share, with one decimal where it is small. */
function wordShare(share) {
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

const wordMaps = {
  start: openAddress,

  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function" && model.get("_live");
    const own = promptField(view, "The sentence", live);
    const draw = h("button", { class: "ex-button", type: "button", text: "Draw this sentence", onclick: sendDraw });
    const panel = progressPanel(() => model.send({ type: "cancel" }), draw);
    panel.canvas.hidden = true;
    const reading = h("p", { class: "ex-small ex-number ex-words-reading" });
    const row = h("ul", { class: "ex-tokens ex-words", "aria-label": "Point at a word" });
    const layers = h("div", { class: "ex-chips", role: "group", "aria-label": "Layers, by the size of their maps" });
    const looked = figure("looked");
    const moved = figure("moved");
    const other = figure("other");
    const question = h("div", { class: "ex-words-guess" });
    const range = h("input", { class: "ex-runs-range", type: "range", min: 0, step: 1, "aria-label": "Step of the run" });
    const link = linkCopier(view);
    const verdict = h("p", { class: "ex-words-verdict" });
    const answer = h("div", { role: "group", "aria-label": "Reading and guess", tabindex: -1 }, reading, question, verdict);
    root.append(
      h("div", { class: "ex-words-form" }, own.node, live ? h("div", {}, draw) : onlyLive("Drawing a sentence of your own"), panel.node, view.noticeArea),
      h("p", { class: "ex-title ex-words-lead", text: "Point at a word, or choose one with the Tab key" }),
      row,
      h("div", { class: "ex-words-layers" }, h("span", { class: "ex-small", text: "Layers that see the picture as" }), layers),
      h("div", { class: "ex-words-pictures" }, looked.node, moved.node, other.node),
      h("div", { class: "ex-words-scrub" }, range),
      answer,
      h("div", { class: "ex-share" }, saveMenu(view), link.button),
      link.shown,
    );
    let maps = {};
    let changes = [];
    let hovered = null;
    let place = null;
    let unspoken = null;
    const guessed = new Map();
    const ask = view.redraw(paintAll);
    const frames = new Frames(model, view.signal, ask);
    range.addEventListener("input", () => set("step", Number(range.value)));
    // A new run has its own answers; one that fails takes nothing away.
    view.watch(["_prompt", "_attention"], () => {
      guessed.clear();
      view.say("The sentence is drawn.");
    });
    view.watch(["_attention", "_sizes", "_words", "_count", "_prompt"], later);
    view.watch(["_missing", "_changes"], later);
    view.watch("sentence", () => (own.text = model.get("sentence")));
    own.control.addEventListener("input", () => set("sentence", own.text));
    view.watch(["word", "step", "size"], show);
    view.watch("_status", showStatus);
    let loading = 0;
    view.signal.addEventListener("abort", () => cancelAnimationFrame(loading));
    own.text = model.get("sentence");
    load();
    showStatus();

    /** A new run changes several traits at once: one drawing is enough. */
    function later() {
      loading ||= requestAnimationFrame(() => {
        loading = 0;
        load();
      });
    }

    function figure(name) {
      const title = h("figcaption", { class: "ex-title" });
      const canvas = h("canvas", { class: "ex-words-canvas", role: "img", "data-part": name });
      if (name !== "other") {
        readCells(view, canvas, reading, { size: () => gridOf(name), at: () => place, choose: (cell) => point(cell, name) });
      }
      const note = h("span", { class: "ex-small ex-number" });
      return { title, canvas, note, node: h("figure", {}, title, canvas, note) };
    }

    function gridOf(name) {
      const [rows, columns] = name === "moved" ? model.get("_grid") : (maps[model.get("size")]?.shape ?? model.get("_grid"));
      return [columns, rows];
    }

    function point(cell, name) {
      const [columns, rows] = gridOf(name);
      place = cell && { ...cell, columns, rows };
      ask();
    }

    function set(name, value) {
      if (model.get(name) === value) return;
      model.set(name, value);
      model.save_changes();
    }

    function load() {
      // A chip that goes while it is pointed at never says that the pointer left.
      hovered = place = null;
      const raw = bytesOf(model.get("_attention")).slice().buffer;
      const [count, words] = [model.get("_count"), model.get("_words").length + 1];
      let start = 0;
      maps = {};
      for (const [name, rows, columns] of model.get("_sizes")) {
        const length = count * words * rows * columns;
        maps[name] = { shape: [rows, columns], values: new Uint16Array(raw.slice(2 * start, 2 * (start + length))) };
        start += length;
      }
      changes = new Float32Array(bytesOf(model.get("_changes")).slice().buffer);
      const [tall, wide] = model.get("_grid");
      for (const { canvas } of [looked, moved, other]) canvas.style.aspectRatio = `${wide} / ${tall}`;
      range.max = Math.max(0, count - 1);
      renew(row, ...[...model.get("_words"), NO_WORD].map(chip));
      renew(layers, ...model.get("_sizes").map(layer));
      layers.parentNode.hidden = layers.children.length === 0;
      show();
    }

    function chip(text, i) {
      const kind = text === NO_WORD ? "padding" : "word";
      const button = h(
        "button",
        { class: "ex-token ex-words-chip", type: "button", "data-kind": kind, onclick: () => set("word", i), onfocus: () => set("word", i) },
        h("span", { class: "ex-token-text", text }),
        h("span", { class: "ex-small ex-number ex-words-percent" }),
        kind === "word" ? tokenBar() : null,
      );
      button.addEventListener("pointerenter", () => hover(i));
      button.addEventListener("pointerleave", () => hover(null));
      return h("li", {}, button);
    }

    function layer([name, rows, columns]) {
      return h("button", {
        class: "ex-button",
        type: "button",
        "data-size": name,
        text: `${rows} × ${columns} places`,
        onclick: () => set("size", name),
      });
    }

    function hover(i) {
      hovered = i;
      ask();
    }

    function word() {
      return hovered ?? model.get("word");
    }

    function nameOf(i) {
      return i === model.get("_words").length ? NO_WORD : model.get("_words")[i];
    }

    /** One word's map at a step: shares of 0 to 1, as a function of the cell. */
    function mapOf(i, k) {
      const map = maps[model.get("size")];
      if (!map) return null;
      const cells = map.shape[0] * map.shape[1];
      const from = (k * (model.get("_words").length + 1) + i) * cells;
      return map.values.subarray(from, from + cells);
    }

    function mean(values) {
      return values.reduce((sum, value) => sum + value, 0) / values.length / WORD_LEVELS;
    }

    function missing() {
      const all = model.get("_missing");
      const [rows, columns] = model.get("_grid");
      let from = 0;
      for (const one of all) {
        const length = one.count * rows * columns;
        if (one.word === word()) return { ...one, values: changes.subarray(from, from + length) };
        from += length;
      }
      return null;
    }

    function show() {
      range.value = model.get("step");
      for (const button of layers.children) button.setAttribute("aria-pressed", String(button.dataset.size === model.get("size")));
      showQuestion();
      ask();
    }

    function showQuestion() {
      const i = model.get("word");
      const known = model.get("_missing").some((one) => one.word === i);
      const open = guessed.has(i);
      hide(question, i === model.get("_words").length || (open && known) || (!live && !known) || model.get("_status").state !== "idle", answer);
      renew(
        question,
        h("p", { class: "ex-title", text: `Take “${nameOf(i)}” away: where will the picture change most?` }),
        h(
          "div",
          { class: "ex-chips" },
          ...WORD_GUESSES.map((text) => h("button", { class: "ex-button", type: "button", text, onclick: () => guess(i, text) })),
        ),
      );
    }

    function guess(i, text) {
      guessed.set(i, text);
      unspoken = i;
      if (model.get("_missing").some((one) => one.word === i)) return show();
      model.send({ type: "remove", word: i });
    }

    function sendDraw() {
      if (own.isEmpty()) return;
      view.notify({});
      model.send({ type: "draw", prompt: own.text });
    }

    function showStatus() {
      draw.setAttribute("aria-disabled", String(panel.show(model.get("_status"))));
      showQuestion();
    }

    function paintAll() {
      const [k, i, count] = [model.get("step"), word(), model.get("_count")];
      const map = mapOf(i, k);
      const shown = guessed.has(i) ? missing() : null;
      showChips(k, i);
      range.setAttribute("aria-valuetext", `Step ${k} of ${count}`);
      paintLooked(map, i, k);
      paintMoved(shown, i, k);
      paintOther(shown, i, k);
      reading.textContent = readingOf(i, k);
      showVerdict(shown, i, k);
    }

    function showChips(k, i) {
      const shares = [...row.children].map((_, j) => mapOf(j, k)).map((values) => (values ? mean(values) : null));
      const largest = Math.max(...shares.slice(0, -1)) || 1; // of the words
      [...row.children].forEach((item, j) => {
        const button = item.firstChild;
        const share = shares[j];
        button.setAttribute("aria-pressed", String(j === i));
        button.style.setProperty("--share", share / largest);
        button.children[1].textContent = share === null ? "" : wordShare(share);
        button.setAttribute("aria-label", share === null ? nameOf(j) : `${nameOf(j)}, ${wordShare(share)} of the attention`);
      });
    }

    function paintLooked(map, i, k) {
      const [columns, rows] = gridOf("looked");
      looked.title.textContent = map ? `Where it looks up “${nameOf(i)}”` : "Predicted now";
      const [low, high] = map ? [Math.min(...map), Math.max(...map)] : [0, 1];
      overlay(looked.canvas, frames.get("x0", k), map, low, high, columns, rows);
      const best = map ? map.indexOf(high) : -1;
      looked.note.textContent = map ? `dark ${wordShare(low / WORD_LEVELS)}, bright ${wordShare(high / WORD_LEVELS)} of a place’s attention` : "";
      looked.canvas.setAttribute(
        "aria-label",
        map
          ? `Step ${k}: “${nameOf(i)}” gets ${wordShare(mean(map))} of the attention, most at row ${Math.floor(best / columns) + 1}, column ${(best % columns) + 1}. Arrow keys read places.`
          : `Picture predicted at step ${k}`,
      );
    }

    function paintMoved(shown, i, k) {
      const [rows, columns] = model.get("_grid");
      const cells = rows * columns;
      const values = shown && k < shown.count ? shown.values.subarray(k * cells, (k + 1) * cells) : null;
      moved.title.textContent = `What changes without “${nameOf(i)}”`;
      const top = values ? Math.max(...values) : 0;
      overlay(moved.canvas, values && frames.get("x0", k), values, 0, top, columns, rows);
      moved.note.textContent = values ? `dark 0, bright ${top.toFixed(2)} apart in the latents` : i === model.get("_words").length ? "choose a word" : "guess first, below";
      moved.canvas.setAttribute("aria-label", shown ? `${moved.title.textContent}, at step ${k}` : `${moved.title.textContent}: not drawn yet`);
    }

    function paintOther(shown, i, k) {
      other.title.textContent = `Predicted without “${nameOf(i)}”`;
      const bitmap = shown ? frames.get(`without-${i}`, Math.min(k, shown.count - 1)) : null;
      overlay(other.canvas, bitmap, null, 0, 1, 1, 1);
      other.note.textContent = shown ? `“${shown.prompt}”` : "";
      other.canvas.setAttribute("aria-label", shown ? `Predicted at step ${k} for “${shown.prompt}”` : "Not drawn yet");
    }

    /** The picture, grey and dim under a map that glows; as it is where there is no map. */
    function overlay(canvas, bitmap, values, low, high, columns, rows) {
      const ratio = window.devicePixelRatio || 1;
      const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
      const [tall, wide] = model.get("_grid");
      const height = Math.max(1, Math.round((width * tall) / wide));
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      context.globalCompositeOperation = "source-over";
      context.clearRect(0, 0, width, height);
      if (bitmap) context.drawImage(bitmap, 0, 0, width, height);
      if (!values) return;
      context.globalCompositeOperation = "color";
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = "source-over";
      context.fillStyle = "rgb(0 0 0 / 45%)";
      context.fillRect(0, 0, width, height);
      context.imageSmoothingEnabled = false;
      context.drawImage(glow(values, low, high, columns, rows), 0, 0, width, height);
      if (place) frameCell(canvas, Math.floor((place.y * rows) / place.rows) * columns + Math.floor((place.x * columns) / place.columns), columns, rows);
    }

    function glow(values, low, high, columns, rows) {
      const canvas = new OffscreenCanvas(columns, rows);
      const pixels = new ImageData(columns, rows);
      values.forEach((value, i) => {
        const at = clamp((value - low) / (high - low || 1), 0, 1);
        const [from, to] = at < 0.5 ? [HEAT[0], HEAT[1]] : [HEAT[1], HEAT[2]];
        const part = at < 0.5 ? 2 * at : 2 * at - 1;
        pixels.data.set([...from.map((colour, c) => colour + (to[c] - colour) * part), 225 * at], 4 * i);
      });
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      return canvas;
    }

    function readingOf(i, k) {
      const map = maps[model.get("size")];
      const where = `Step ${k} of ${model.get("_count")}`;
      if (!map) return `${where}. This run was recorded without attention${live ? ": draw the sentence to see it." : "."}`;
      if (!place) return `${where}. Each place of the picture shares its attention out among the words; point at one to read it.`;
      const [rows, columns] = map.shape;
      const cell = Math.floor((place.y * rows) / place.rows) * columns + Math.floor((place.x * columns) / place.columns);
      const shares = [...model.get("_words"), NO_WORD].map((name, j) => [name, mapOf(j, k)[cell] / WORD_LEVELS]);
      const first = shares.sort((a, b) => b[1] - a[1]).slice(0, 4).map(([name, share]) => `${name} ${wordShare(share)}`);
      return `${where}, row ${Math.floor(cell / columns) + 1}, column ${(cell % columns) + 1}: ${first.join(" · ")}`;
    }

    function showVerdict(shown, i, k) {
      verdict.hidden = !shown;
      if (!shown) return;
      const found = shown.agreement[model.get("size")]?.[k];
      const known = found !== null && found !== undefined;
      verdict.replaceChildren(
        h("strong", { text: `You said: ${guessed.get(i)}. ` }),
        known ? `At step ${k}, looking up and change agree with a correlation of ${found.toFixed(2).replace("-", "−")} over all places: 1 would be the same places, 0 no relation. ` : "",
        `In the end the two pictures are ${shown.picture_rms} grey levels of 255 apart.`,
      );
      // It changes with every step and word, and is read out only where it answers a guess.
      if (unspoken !== i) return;
      unspoken = null;
      view.say(verdict.textContent);
    }
  },
};
