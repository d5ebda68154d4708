// Phrases of the reader's own: a table of cosines, a map, and a plane between words.

const VIEWS = { table: "Table", map: "Map", axes: "Your own axes" };
const ENDS = ["left", "right", "below", "above"];
const AXES_WORDS = "Each phrase stands where its vector’s foot falls on the two straight lines between your words.";

const phrases = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const box = h("textarea", { class: "ex-input ex-phrases-box", rows: 6, spellcheck: "false", disabled: !live });
    const own = field("phrases", "Your phrases", "One a line", box);
    const inputs = ENDS.map((where, i) =>
      h("input", {
        class: "ex-input",
        type: "text",
        autocomplete: "off",
        disabled: !live,
        "aria-label": `Word at the end of the axis: ${where}`,
        oninput: () => axis(i),
      }),
    );
    const axes = h(
      "div",
      { class: "ex-phrases-axes" },
      h("div", { class: "ex-field-row" }, h("span", { text: "→", "aria-hidden": "true" }), inputs[0], h("span", { class: "ex-small", text: "to" }), inputs[1]),
      h("div", { class: "ex-field-row" }, h("span", { text: "↑", "aria-hidden": "true" }), inputs[2], h("span", { class: "ex-small", text: "to" }), inputs[3]),
    );
    const tabs = h("div", { class: "ex-chips", role: "group", "aria-label": "How to compare" });
    const stage = h("div");
    const reading = h("p", { class: "ex-small ex-number", role: "status" });
    const waits = ghost();
    root.append(
      h("div", { class: "ex-phrases" }, h("div", {}, own.node, live ? null : onlyLive("Comparing phrases of your own"), view.noticeArea), h("div", { class: "ex-phrases-side" }, waits, tabs, axes, stage, reading)),
    );
    let chosen = "table";
    let typing = 0;
    box.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => send("text", box.value), 250);
    });
    view.signal.addEventListener("abort", () => clearTimeout(typing));
    view.watch("text", fill);
    view.watch("ends", fill);
    const ask = view.redraw(draw);
    view.watch(["_phrases", "_cosines", "_map", "_axes", "shown"], ask);
    for (const [name, text] of Object.entries(VIEWS)) {
      tabs.append(h("button", { class: "ex-button", type: "button", "data-view": name, text, onclick: () => choose(name) }));
    }
    fill();
    choose("table");

    function send(name, value) {
      model.set(name, value);
      model.save_changes();
    }

    function axis(i) {
      send("ends", model.get("ends").map((end, k) => (k === i ? inputs[i].value : end)));
    }

    function fill() {
      own.text = model.get("text");
      inputs.forEach((input, i) => {
        if (input.value !== model.get("ends")[i]) input.value = model.get("ends")[i];
      });
    }

    function choose(name) {
      chosen = name;
      for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
      draw();
    }

    function draw() {
      const shown = model.get("shown");
      waits.hidden = shown;
      for (const node of [tabs, stage, reading]) node.hidden = !shown;
      axes.hidden = !shown || chosen !== "axes";
      if (!shown) return;
      const names = model.get("_phrases");
      const { points, problem, share } = model.get(chosen === "map" ? "_map" : "_axes");
      tell(chosen === "table" || problem ? "" : chosen === "map" ? mapWords(share) : AXES_WORDS);
      if (chosen === "table") return stage.replaceChildren(table(names, model.get("_cosines")));
      if (problem) return stage.replaceChildren(h("p", { class: "ex-field-problem", text: problem }));
      const ends = chosen === "axes" ? model.get("ends") : [];
      stage.replaceChildren(scatter(names, points, ends, Math.max(240, stage.clientWidth)));
    }

    /** A status that is written anew is read out anew, also with the same words. */
    function tell(words) {
      if (reading.textContent !== words) reading.textContent = words;
    }

    function table(names, cosines) {
      const others = cosines.flatMap((row, i) => row.filter((_, k) => k !== i));
      const [low, high] = others.length ? [Math.min(...others), Math.max(...others)] : [0, 1];
      const cell = (value, i, k) => {
        const text = phraseCosine(value);
        const td = h("td", { class: "ex-number", text, title: `“${names[i]}” and “${names[k]}”: ${text}` });
        // Shaded between the least and the most alike of these phrases: else all would look the same.
        td.style.setProperty("--share", i === k ? 0 : (value - low) / (high - low || 1));
        td.dataset.self = String(i === k);
        return td;
      };
      return h(
        "div",
        { class: "ex-phrases-scroll", tabindex: 0, role: "region", "aria-label": "Table of cosines" },
        h(
          "table",
          { class: "ex-phrases-table" },
          h("thead", {}, h("tr", {}, h("th"), ...names.map((name, i) => h("th", { scope: "col", text: i + 1, title: name })))),
          h(
            "tbody",
            {},
            ...cosines.map((row, i) =>
              h("tr", {}, h("th", { scope: "row" }, h("span", { class: "ex-small ex-number", text: i + 1 }), ` ${names[i]}`), ...row.map((value, k) => cell(value, i, k))),
            ),
          ),
        ),
      );
    }
  },
};

function mapWords(share) {
  return `Principal components: this plane shows ${Math.round(100 * share)} % of how your phrases differ; the rest lies in other directions.`;
}

/** A cosine with two decimals; what rounds to nothing has no sign. */
function phraseCosine(value) {
  const text = value.toFixed(2).replace("-", "−");
  return text === "−0.00" ? "0.00" : text;
}

/** Dots with their phrases; a phrase that finds no free place keeps only its number. */
function scatter(names, points, [left, right, below, above], width) {
  const height = Math.round(clamp(0.75 * width, 300, 460));
  const pad = { x: 26, y: 36 };
  const anchors = left === undefined ? [] : [[0, 0], [1, 1]];
  const rooms = [width - 2 * pad.x, height - 2 * pad.y];
  const extents = rooms.map((_, axis) => {
    const values = [...points, ...anchors].map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const fitting = extents.map(([low, high], axis) => (high - low < 1e-12 ? Infinity : rooms[axis] / (high - low)));
  // Distances on a map mean something; axes of one's own are two questions, each with its own scale.
  const scales = anchors.length ? fitting : rooms.map(() => Math.min(...fitting));
  const place = extents.map(([low, high], axis) => {
    const off = (value) => (scales[axis] === Infinity ? 0 : (value - (low + high) / 2) * scales[axis]);
    return axis ? (value) => height / 2 - off(value) : (value) => width / 2 + off(value);
  });
  const at = points.map(([x, y]) => [place[0](x), place[1](y)]);
  const taken = at.map(([x, y]) => [x - 10, y - 10, x + 10, y + 10]);
  const svg = h("svg:svg", {
    class: "ex-scatter",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Map of ${names.length} phrases: ${names.map((name, i) => `${i + 1} ${name}`).join("; ")}`,
  });
  if (anchors.length) svg.append(...axisLines(place, [left, right, below, above], width, height, taken));
  names.forEach((name, i) => {
    const [x, y] = at[i];
    svg.append(
      h(
        "svg:g",
        {},
        h("svg:title", { text: name }),
        h("svg:circle", { cx: x, cy: y, r: 9 }),
        h("svg:text", { class: "ex-scatter-number", x, y: y + 3.5, text: i + 1 }),
        label(name, x, y, taken, width, height),
      ),
    );
  });
  return svg;
}

function axisLines(place, words, width, height, taken) {
  const [x0, y0] = [place[0](0), place[1](0)];
  const text = (word, x, y, anchor) => {
    const long = 6.6 * word.length;
    const from = anchor === "end" ? x - long : x;
    taken.push([from, y - 12, from + long, y + 4]);
    return h("svg:text", { class: "ex-scatter-end", x, y, "text-anchor": anchor, text: word });
  };
  return [
    h("svg:line", { x1: 0, x2: width, y1: height - 20, y2: height - 20 }),
    h("svg:line", { x1: 6, x2: 6, y1: 0, y2: height - 20 }),
    text(words[0], Math.max(12, x0 - 10), height - 6, "start"),
    text(`${words[1]} →`, Math.min(width - 4, place[0](1) + 20), height - 6, "end"),
    text(words[2], 12, Math.min(height - 28, y0), "start"),
    text(`↑ ${words[3]}`, 12, Math.max(12, place[1](1)), "start"),
  ];
}

function label(name, x, y, taken, width, height) {
  const text = name.length > 28 ? `${name.slice(0, 27)}…` : name;
  const long = 7 * text.length;
  const tries = [
    [x + 13, y + 4, "start"],
    [x - 13, y + 4, "end"],
    [x, y - 14, "middle"],
    [x, y + 24, "middle"],
  ];
  for (const [lx, ly, anchor] of tries) {
    const from = anchor === "start" ? lx : anchor === "end" ? lx - long : lx - long / 2;
    const box = [from, ly - 11, from + long, ly + 4];
    const inside = box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height - 20;
    const free = taken.every(([a, b, c, d]) => box[2] <= a || box[0] >= c || box[3] <= b || box[1] >= d);
    if (!inside || !free) continue;
    taken.push(box);
    return h("svg:text", { x: lx, y: ly, "text-anchor": anchor, text });
  }
  return null;
}
