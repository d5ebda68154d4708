// The picture book: three books of one story, page by page, and how much their pages belong together.

const BOOK_ROWS = [
  ["clip", "alike by CLIP, mean cosine (1: equal)", 3],
  ["colours", "colours apart (0: equal)", 1],
  ["edges", "edges: spread over the pages", 2],
  ["layers", "layers: spread over the pages", 0],
  ["lightness", "lightness: spread over the pages", 1],
  ["faces", "the heads alone: colours apart", 1],
];

const pictureBook = {
  mount(view) {
    const { model, root } = view;
    const modes = Object.entries(model.get("_facts").modes);
    const buttons = modes.map(([mode, words]) => h("button", { class: "ex-button", type: "button", text: words, onclick: () => set("mode", mode) }));
    const faces = h("button", { class: "ex-button", type: "button", onclick: () => set("faces", !model.get("faces")) });
    const title = h("p", { class: "ex-book-title" });
    const pages = h("ol", { class: "ex-book" });
    const waits = h("p", { class: "ex-small", text: "The measures wait for your guess." });
    const table = h("table", { class: "ex-book-table ex-number" });
    const told = h("p", { class: "ex-small", role: "status" });
    const head = h("div", { class: "ex-book-modes", role: "group", "aria-label": "Book" }, ...buttons);
    root.append(head, title, pages, faces, waits, h("div", { class: "ex-book-scroll ex-scrolls", tabindex: 0, role: "region", "aria-label": "Books compared" }, table));
    const form = model.get("_form");
    const name = sentenceBox({ maxlength: form.longest });
    const story = h("textarea", { class: "ex-text-field", rows: 6, maxlength: form.longest });
    const phrase = sentenceBox({ maxlength: form.longest });
    const figure = sentenceBox({ maxlength: form.longest, placeholder: "one word of the story" });
    const seed = h("input", { type: "text", inputmode: "numeric", class: "ex-text-field ex-number" });
    if (canAsk(view)) {
      const save = h("button", { class: "ex-button", type: "button", text: "Save this book as PDF", onclick: keep });
      const fields = h(
        "form",
        { class: "ex-style-form", onsubmit: send },
        labelled("Title", name),
        labelled("Who is on every page", figure),
        labelled("Style phrase", phrase),
        labelled("First seed", seed, true),
        labelled("The story, a line for each page", story),
        seriesButtons(view, "Draw this book"),
      );
      story.parentElement.classList.add("ex-book-story");
      root.append(h("p", { class: "ex-book-save" }, save, told), h("details", { class: "ex-book-own" }, h("summary", { text: "Write your own story" }), fields));
      model.on("msg:custom", receive);
      view.signal.addEventListener("abort", () => model.off("msg:custom", receive));
    } else root.append(onlyLive("Drawing a story of your own, and saving it as PDF,"));
    let waiting = false;
    let shown = [];
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["_facts", "_waiting", "mode", "faces"], load);
    view.watch("shown", measure);
    view.watch("_frames", ask);
    view.watch("_form", fill);
    fill();
    load();

    function set(trait, value) {
      model.set(trait, value);
      model.save_changes();
    }

    function fill() {
      const values = model.get("_form");
      [name.value, story.value, phrase.value, figure.value, seed.value] = [values.title, values.story, values.phrase, values.figure, values.seed];
      title.textContent = values.title;
    }

    function send(event) {
      event.preventDefault();
      model.send({ type: "start", mode: model.get("mode"), title: name.value, story: story.value, phrase: phrase.value, figure: figure.value, seed: seed.value.trim() });
    }

    function keep() {
      waiting = true;
      told.textContent = "The book is being bound…";
      model.send({ type: "save" });
    }

    /** Only the view in which the reader asked saves the file. */
    function receive(message, buffers) {
      if (!waiting || !["file", "unsaved"].includes(message.type)) return;
      waiting = false;
      told.textContent = message.type === "file" ? saveFile(message, buffers) : message.text;
    }

    function load() {
      const mode = model.get("mode");
      const { books, figure: who } = model.get("_facts");
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(modes[i][0] === mode)));
      const own = books[mode] ?? [];
      faces.hidden = !own.some(({ face }) => face);
      faces.setAttribute("aria-pressed", String(model.get("faces")));
      faces.textContent = model.get("faces") ? "Show the whole pages" : `Show only where the model looked for “${who}”`;
      shown = own.map(page);
      pages.classList.toggle("ex-book-heads", model.get("faces"));
      const none = own.length || model.get("_waiting").length ? [] : [h("li", { class: "ex-small", text: "This book is not drawn yet." })];
      pages.replaceChildren(...shown.map(({ node }) => node), ...seriesWaiting(model.get("_waiting")), ...none);
      measure();
      ask();
    }

    function page({ text, prompt, seed: number }) {
      const canvas = h("canvas", { role: "img", "aria-label": prompt });
      const facts = h("span", { class: "ex-small ex-number", text: prompt === text ? `seed ${number}` : `${prompt.slice(text.length).replace(/^[,.; ]+/, "")}, seed ${number}` });
      return { canvas, node: h("li", {}, canvas, h("span", { class: "ex-book-line", text }), facts) };
    }

    function measure() {
      const { measured, books } = model.get("_facts");
      const mode = model.get("mode");
      const known = modes.filter(([one]) => measured[one]);
      const own = books[mode] ?? [];
      waits.hidden = model.get("shown") || !known.length;
      table.hidden = !model.get("shown") || !known.length;
      if (own.length === 1 && !model.get("_waiting").length) {
        waits.hidden = false;
        waits.textContent = "A single page has nothing to be like: give the story two pages at least to have it measured.";
      } else waits.textContent = "The measures wait for your guess.";
      table.replaceChildren(
        h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "over all pairs of pages" }), ...known.map(([one, words]) => h("th", { scope: "col", text: words, "aria-current": one === mode ? "true" : null })))),
        h("tbody", {}, ...BOOK_ROWS.map(([key, words, digits]) => h("tr", {}, h("th", { scope: "row", text: words }), ...known.map(([one]) => cell(measured[one], key, digits))))),
      );
    }

    function cell(found, key, digits) {
      const value = found[key] ?? found.spread[key] ?? null;
      return h("td", { text: value === null ? "–" : value.toFixed(digits) });
    }

    function draw() {
      const mode = model.get("mode");
      const { books } = model.get("_facts");
      shown.forEach(({ canvas }, i) => {
        const bitmap = frames.get(mode, i);
        if (!bitmap) return;
        const { face } = books[mode][i];
        if (model.get("faces") && face) paint(canvas, cutOut(bitmap, face), false);
        else paint(canvas, bitmap, false);
      });
    }
  },
};

function cutOut(bitmap, [left, top, side]) {
  const size = Math.round(side * Math.min(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(size, size);
  canvas.getContext("2d").drawImage(bitmap, Math.round(left * bitmap.width), Math.round(top * bitmap.height), size, size, 0, 0, size, size);
  return canvas;
}
