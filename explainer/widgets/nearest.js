// The nearest: a picture beside one of its nearest training pictures, and where the two differ.

const MEASURE_WORDS = {
  clip: ["By CLIP", "what is shown, and how it looks"],
  pixels: ["By pixels", "the same colour in the same place"],
};

const nearest = {
  mount(view) {
    const { model, root } = view;
    const live = canAsk(view);
    const [own, other, apart] = ["yours", "theirs", "apart"].map((name) => h("canvas", { role: "img", class: `ex-nearest-${name}` }));
    const [ownText, otherText, apartText] = [0, 1, 2].map(() => h("figcaption", {}));
    const rows = h("div", { class: "ex-nearest-rows" });
    const empty = h("p", { class: "ex-nearest-empty" });
    root.append(
      h(
        "div",
        { class: "ex-tiles ex-nearest" },
        h("figure", {}, own, ownText),
        h("figure", {}, other, otherText),
        h("figure", {}, apart, apartText),
      ),
      empty,
      rows,
    );
    if (live) {
      const size = () => model.get("_facts").size;
      const upload = uploadButton(size, take, (text) => view.notify({ kind: "error", text }));
      root.append(askRow(view, { words: "Find its nearest", unit: "drawing", fields: [upload], send: () => ({}), done: "The nearest training pictures are found." }));
    } else root.append(onlyLive("A picture of your own"));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    let thumbs = [];
    view.watch(["_facts", "shown"], load);
    view.watch("chosen", tell);
    load();

    function take(picture) {
      view.notify({});
      model.set("_pixels", picture);
      model.save_changes();
    }

    function load() {
      const { scales, trained, indexed, title } = model.get("_facts");
      thumbs = [];
      rows.replaceChildren(...Object.entries(scales).map(([measure, scale]) => row(measure, scale)));
      const found = Object.keys(scales).length > 0;
      for (const canvas of [other, apart]) canvas.closest("figure").hidden = !found;
      empty.hidden = found;
      empty.textContent = indexed
        ? `Its nearest among ${trained.toLocaleString("en")} training pictures were not looked for yet.`
        : `For these weights there is no index yet. Asked for the nearest, your computer first draws all ${trained.toLocaleString("en")} training pictures again. That takes some minutes, once; cancelled, it goes on where it stopped.`;
      ownText.replaceChildren(h("strong", { text: "The picture" }), h("span", { class: "ex-small", text: title }));
      tell();
    }

    function row(measure, { found, marks, suspicious, nearer }) {
      const [name, words] = MEASURE_WORDS[measure];
      const list = found.map(({ number, distance }, place) => {
        const canvas = h("canvas", { "aria-hidden": "true" });
        const button = h(
          "button",
          { class: "ex-nearest-pick", type: "button", "aria-label": `Training picture ${number}, ${distance.toFixed(3)} away by ${measure}`, onclick: () => choose(measure, place) },
          canvas,
          h("span", { class: "ex-small ex-number", text: distance.toFixed(3) }),
        );
        thumbs.push({ measure, place, canvas, button });
        return h("li", {}, button);
      });
      return h(
        "section",
        {},
        h("p", { class: "ex-nearest-head" }, h("strong", { text: name }), ` ${words}`),
        h("ol", { class: "ex-nearest-list" }, ...list),
        ...(model.get("shown") ? compared(found[0].distance, marks, suspicious, nearer) : [ghost()]),
      );
    }

    function choose(measure, place) {
      model.set("chosen", [measure, place]);
      model.save_changes();
    }

    function tell() {
      ask();
      const [measure, place] = model.get("chosen");
      const one = model.get("_facts").scales[measure]?.found[place];
      for (const thumb of thumbs) thumb.button.setAttribute("aria-pressed", String(thumb.measure === measure && thumb.place === place));
      own.setAttribute("aria-label", `The picture: ${model.get("_facts").title}`);
      if (!one) return;
      const words = `Training picture ${one.number.toLocaleString("en")}`;
      otherText.replaceChildren(h("strong", { text: words }), h("span", { class: "ex-small", text: one.caption }));
      apartText.replaceChildren(h("strong", { text: "Where the two differ" }), h("span", { class: "ex-small", text: "black is not at all, white from black to white" }));
      other.setAttribute("aria-label", `${words}, drawn again: ${one.caption}`);
      apart.setAttribute("aria-label", "Where the two differ");
    }

    function draw() {
      const [measure, place] = model.get("chosen");
      const [mine, theirs] = [frames.get("own", 0), frames.get(measure, place)];
      if (mine) paint(own, mine, false);
      if (theirs) paint(other, theirs, false);
      if (mine && theirs) paintDifference(apart, mine, theirs);
      for (const thumb of thumbs) {
        const bitmap = frames.get(thumb.measure, thumb.place);
        if (bitmap) paint(thumb.canvas, bitmap, false);
      }
    }
  },
};

/** Each pixel's difference, the mean of its three colours, from black to white. */
function paintDifference(canvas, a, b) {
  const [x, y] = [a, b].map((bitmap) => {
    const context = new OffscreenCanvas(a.width, a.height).getContext("2d");
    context.drawImage(bitmap, 0, 0, a.width, a.height);
    return context.getImageData(0, 0, a.width, a.height);
  });
  for (let i = 0; i < x.data.length; i += 4) {
    const level = (Math.abs(x.data[i] - y.data[i]) + Math.abs(x.data[i + 1] - y.data[i + 1]) + Math.abs(x.data[i + 2] - y.data[i + 2])) / 3;
    x.data[i] = x.data[i + 1] = x.data[i + 2] = level;
  }
  const sheet = new OffscreenCanvas(a.width, a.height);
  sheet.getContext("2d").putImageData(x, 0, 0);
  paint(canvas, sheet, true);
}

/** How near the nearest is, beside drawings that training never saw. */
function compared(distance, marks, suspicious, nearer) {
  return [
    scale(distance, marks, suspicious),
    h("p", { class: "ex-nearest-ends ex-small ex-number", "aria-hidden": "true" }, h("span", { text: "0: the same picture" }), h("span", { text: endOf(distance, marks).toFixed(2) })),
    h("p", { class: "ex-nearest-verdict", text: verdict(distance, suspicious, nearer) }),
  ];
}

/** Where a distance lies among those of drawings that training never saw. */
function scale(distance, marks, suspicious) {
  const end = endOf(distance, marks);
  const at = (value) => 1000 * (value / end);
  return h(
    "svg:svg",
    { class: "ex-nearest-scale", viewBox: "0 0 1000 40", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("svg:line", { x1: 0, x2: 1000, y1: 39, y2: 39 }),
    ...marks.map((value) => h("svg:line", { x1: at(value), x2: at(value), y1: 14, y2: 38 })),
    h("svg:line", { x1: at(suspicious), x2: at(suspicious), y1: 2, y2: 38, class: "ex-nearest-limit" }),
    h("svg:line", { x1: at(distance), x2: at(distance), y1: 0, y2: 40, class: "ex-nearest-own" }),
  );
}

function endOf(distance, marks) {
  return 1.05 * Math.max(distance, marks[marks.length - 1]);
}

function verdict(distance, suspicious, nearer) {
  const share = Math.round(100 * nearer);
  const told = `Thin lines: drawings that training never saw. The thick one: this picture. Of 100 such drawings, ${share} come nearer.`;
  return distance < suspicious ? `${told} That is suspicious: look whether it is a copy.` : told;
}
