// Nearness: a row of dots for every kind of pictures, and below it the pairs that are nearest of all.

const nearness = {
  mount(view) {
    const { model, root } = view;
    const words = { clip: "By CLIP", pixels: "By pixels" };
    const measures = Object.entries(words).map(([name, text]) => {
      const button = h("button", { class: "ex-button", type: "button", text, onclick: () => set("measure", name) });
      return { name, button };
    });
    const near = h("div", { class: "ex-nearness-rows" });
    const among = h("div", { class: "ex-nearness-rows" });
    const heading = h("p", { class: "ex-title ex-nearness-heading" });
    const pairs = h("ul", { class: "ex-nearness-pairs" });
    root.append(
      h("div", { class: "ex-nearness-choices", role: "group", "aria-label": "Compared" }, ...measures.map(({ button }) => button)),
      h("p", { class: "ex-title", text: "How far to the nearest of all training pictures" }),
      near,
      heading,
      pairs,
      h("p", { class: "ex-title ex-nearness-heading", text: "How far to the nearest of the same kind" }),
      among,
    );
    let canvases = [];
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["measure", "shown"], load);
    view.watch("group", showGroup);
    load();

    function set(name, value) {
      model.set(name, value);
      model.save_changes();
    }

    function load() {
      const measure = model.get("measure");
      for (const { name, button } of measures) button.setAttribute("aria-pressed", String(name === measure));
      const rows = model.get("_rows");
      const others = model.get("_among");
      const [end, wider] = [rows, others].map((all) => 1.04 * Math.max(...all.flatMap((one) => one[measure])));
      const limit = model.get("_limits")[measure];
      near.replaceChildren(...rows.map((one) => row(one, measure, end, limit, true)), axis(end));
      among.replaceChildren(...others.map((one) => row(one, measure, wider, null, false)), axis(wider));
      showGroup();
    }

    /** The rows stay, and with them the focus on the one that was chosen. */
    function showGroup() {
      for (const row of near.querySelectorAll("[data-group]")) {
        row.querySelector("button").setAttribute("aria-pressed", String(row.dataset.group === model.get("group")));
      }
      showPairs(model.get("measure"));
    }

    /** What models drew waits for a guess; what it is held against does not. */
    function waits(name) {
      return !model.get("shown") && ["generated", "twin"].includes(name);
    }

    function row(one, measure, end, limit, chooses) {
      const values = one[measure];
      const covered = waits(one.name);
      const middle = [...values].sort((a, b) => a - b)[values.length >> 1];
      const told = covered ? "guess first" : `middle one ${middle.toFixed(3)}${limit === null ? "" : suspicious(values, limit)}`;
      const title = chooses
        ? h("button", { class: "ex-button ex-button-quiet ex-nearness-pick", type: "button", text: `${values.length} ${one.title}`, disabled: covered, onclick: () => set("group", one.name) })
        : h("span", { text: `${values.length} ${one.title}` });
      return h(
        "div",
        { class: "ex-nearness-row", "data-group": one.name },
        h("p", { class: "ex-nearness-line" }, title, h("span", { class: "ex-small ex-number", text: told })),
        dots(covered ? [] : values, end, limit),
      );
    }

    function showPairs(measure) {
      const name = waits(model.get("group")) ? "drawings" : model.get("group");
      const key = `${name}-${measure}`;
      const title = model.get("_rows").find((one) => one.name === name)?.title ?? "";
      heading.textContent = `The nearest of the ${title}`;
      canvases = [];
      pairs.replaceChildren(...(model.get("_pairs")[key] ?? []).map((pair, i) => pairOf(key, pair, i)));
      ask();
    }

    function pairOf(key, { distance, number, title, caption }, i) {
      const [picture, other] = [title, `training picture ${number}: ${caption}`].map((label) => h("canvas", { role: "img", "aria-label": label }));
      canvases.push([picture, key, i], [other, `${key}-near`, i]);
      return h(
        "li",
        {},
        h("div", { class: "ex-nearness-two" }, picture, other),
        h("p", { class: "ex-number" }, h("strong", { text: `${distance.toFixed(3)} apart` })),
        h("p", { class: "ex-small", text: `left: ${title}` }),
        h("p", { class: "ex-small ex-number", text: `right: training picture ${number.toLocaleString("en")}` }),
      );
    }

    function draw() {
      for (const [canvas, key, i] of canvases) {
        const bitmap = frames.get(key, i);
        if (bitmap) paint(canvas, bitmap, false);
      }
    }
  },
};

function suspicious(values, limit) {
  const count = values.filter((value) => value < limit).length;
  return `, ${count} of ${values.length} left of the dashed line`;
}

/** A dot a picture; dots that would hide each other are stacked. */
function dots(values, end, limit) {
  const [width, height, radius] = [1000, 60, 5];
  const stacks = new Map();
  const marks = [...values].sort((a, b) => a - b).map((value) => {
    const x = (width * value) / end;
    const bin = Math.round(x / (2 * radius));
    const level = stacks.get(bin) ?? 0;
    stacks.set(bin, level + 1);
    return { x: 2 * radius * bin, level };
  });
  const most = Math.max(1, ...stacks.values());
  const step = Math.min(2 * radius, (height - 2 * radius) / most);
  return h(
    "svg:svg",
    { class: "ex-nearness-dots", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    h("svg:line", { x1: 0, x2: width, y1: height - 1, y2: height - 1, class: "ex-nearness-axis" }),
    limit === null ? null : h("svg:line", { x1: (width * limit) / end, x2: (width * limit) / end, y1: 0, y2: height, class: "ex-nearness-limit" }),
    ...marks.map(({ x, level }) => h("svg:circle", { cx: x, cy: height - radius - 2 - step * level, r: radius - 0.6 })),
  );
}

function axis(end) {
  return h(
    "p",
    { class: "ex-nearness-axis-words ex-small ex-number" },
    h("span", { text: "0: the same picture" }),
    h("span", { text: `${end.toFixed(2)} apart` }),
  );
}
