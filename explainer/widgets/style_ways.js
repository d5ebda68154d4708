// Style ways: one slider along the way; what is measured on each picture stands below.

const styleWays = {
  mount(view) {
    const { model, root } = view;
    const kind = model.get("_kind");
    const side = kind === "carriers"; // side by side, with no slider
    const figures = Array.from({ length: side ? 4 : 3 }, () => pictureFigure());
    const said = h("p", { class: "ex-style-said ex-number" });
    const slot = h("div");
    const key = h("div");
    const table = h("p", { class: "ex-style-ways-measures ex-number" });
    const waits = ghost();
    const board = h("div", {}, h("div", { class: `ex-style-pictures ${side ? "ex-style-four" : "ex-style-ways"}` }, ...figures.map(({ node }) => node)), said, waits, key, slot, table);
    const empty = h("p", { class: "ex-small", text: "Nothing is drawn yet." });
    root.append(empty, board);
    const fields = model.get("_fields").map(({ name, label, text }) => ({ name, label, input: sentenceBox({ maxlength: model.get("_longest"), value: text }) }));
    if (canAsk(view)) {
      root.append(
        askRow(view, {
          words: { mix: "Mix these two", transfer: "Carry it over", carriers: "Draw all four" }[kind],
          unit: "step",
          fields: fields.map(({ label, input }) => labelled(label, input)),
          send: () => Object.fromEntries(fields.map(({ name, input }) => [name, input.value])),
          done: "The way is drawn.",
        }),
      );
    } else root.append(onlyLive(kind === "mix" ? "Mixing styles of your own" : "Drawing a sentence of your own"));
    let slider = null;
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch("position", ask);
    view.watch(["_facts", "shown"], load);
    load();

    function load() {
      const { places, pixels, clip, measures, ends } = model.get("_facts");
      board.hidden = !places;
      empty.hidden = !board.hidden;
      if (board.hidden) return;
      const shown = model.get("shown");
      const hidden = places.map(() => null);
      const judged = clip.some((value) => value !== null);
      slider = twoLineSlider(model, { label: "Place on the way", from: kind === "mix" ? ends[0] : places[0], to: kind === "mix" ? ends[1] : places.at(-1) });
      slider.draw(shown ? pixels : hidden, shown ? clip : hidden);
      renew(slot, ...(side ? [] : [slider.node]));
      waits.hidden = shown;
      key.hidden = table.hidden = !shown || side;
      const goal = kind === "mix" ? `“${ends[1]}”` : "what the words themselves give";
      key.replaceChildren(twoLineKey("by pixels", judged ? "by CLIP" : "", `↑ how near the picture is to ${goal}.`));
      table.replaceChildren(
        ...Object.keys(measures).map((name) => h("span", {}, h("span", { class: "ex-small", text: `${name} ` }), h("strong", { "data-measure": name }))),
      );
      ask();
    }

    function draw() {
      const { sentence, places, ends, pixels, clip, measures } = model.get("_facts");
      if (!places) return;
      const nearness = (place) => (model.get("shown") ? `${percent(pixels[place])} by pixels${clip[place] === null ? "" : `, ${percent(clip[place])} by CLIP`}` : "");
      const told = (place) => [places[place], nearness(place)].filter(Boolean).join(": ");
      if (side) {
        places.forEach((_, i) => show(i, "pictures", i, told(i)));
        said.textContent = `“${sentence}, ${ends[1]}”`;
        return;
      }
      const last = places.length - 1;
      const k = clamp(model.get("position"), 0, last);
      const plain = kind === "mix" ? 0 : places.indexOf("the sentence as it is");
      const parts = [
        ["pictures", plain, kind === "mix" ? ends[0] : "the sentence as it is"],
        ["pictures", k, places[k]],
        kind === "mix" ? ["pictures", last, ends[1]] : ["goal", 0, `the words written: “…, ${ends[1]}”`],
      ];
      parts.forEach(([name, place, words], i) => show(i, name, place, words));
      said.textContent = nearness(k);
      said.hidden = !said.textContent;
      for (const cell of table.querySelectorAll("strong")) cell.textContent = Number(measures[cell.dataset.measure][k].toFixed(1)).toString().replace("-", "−");
      slider?.place(k, told(k));
    }

    function show(i, name, place, words) {
      const bitmap = frames.get(name, place);
      if (bitmap) paint(figures[i].canvas, bitmap, false);
      figures[i].caption.textContent = words;
      figures[i].canvas.setAttribute("aria-label", `“${model.get("_facts").sentence}”: ${words}`);
    }
  },
};
