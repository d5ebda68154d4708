// Combinations: two circles that do not meet, what the model made of both, and the nearest there was.

const combinations = {
  mount(view) {
    const { model, root } = view;
    const picks = h("div", { class: "ex-chips", role: "group", "aria-label": "Never together in training" });
    const sets = h("div", { class: "ex-combinations-sets" });
    const tiles = ["picture", "own", "near"].map((name) => {
      const canvas = h("canvas", { role: "img" });
      const title = h("strong");
      const told = h("span", { class: "ex-small" });
      return { name, canvas, title, told, node: h("figure", { "data-picture": name }, canvas, h("figcaption", {}, title, told)) };
    });
    const [made, own, near] = tiles;
    const prompt = h("p", { class: "ex-combinations-prompt" });
    root.append(picks, sets, prompt, h("div", { class: "ex-tiles ex-combinations" }, ...tiles.map(({ node }) => node)));
    if (canAsk(view)) {
      root.append(askRow(view, { words: "Draw it with another seed", unit: "step", send: () => ({}), done: "The picture is done." }));
    } else root.append(onlyLive("Another seed"));
    const buttons = model.get("_told").map(({ halves }, i) =>
      h("button", { class: "ex-chip", type: "button", text: halves.join(" + "), onclick: () => choose(i) }),
    );
    picks.append(...buttons);
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["chosen", "_told", "_own"], load);
    load();

    function choose(i) {
      model.set("chosen", i);
      model.save_changes();
      load();
      view.say(sets.firstChild.getAttribute("aria-label"));
    }

    function load() {
      const chosen = model.get("chosen");
      const one = model.get("_told")[chosen];
      const seed = model.get("_own")[String(chosen)];
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
      sets.replaceChildren(circles(one));
      prompt.textContent = `“${one.prompt}”`;
      made.title.textContent = "What the model made of it";
      made.told.textContent = `seed ${one.seed}, recorded. The judge ${seen(one)}.`;
      own.node.hidden = seed === undefined;
      own.title.textContent = "Another seed";
      own.told.textContent = `seed ${seed}, drawn here`;
      near.title.textContent = "The nearest training picture, by CLIP";
      near.told.textContent = `number ${one.number.toLocaleString("en")}, ${one.distance.toFixed(3)} away: ${one.caption}`;
      made.canvas.setAttribute("aria-label", `Generated: ${one.prompt}`);
      own.canvas.setAttribute("aria-label", `Generated with seed ${seed}: ${one.prompt}`);
      near.canvas.setAttribute("aria-label", `Training picture ${one.number}: ${one.caption}`);
      ask();
    }

    function draw() {
      const chosen = model.get("chosen");
      for (const [canvas, key, i] of [[made.canvas, "picture", chosen], [own.canvas, `own-${chosen}`, 0], [near.canvas, "near", chosen]]) {
        const bitmap = frames.get(key, i);
        if (bitmap) paint(canvas, bitmap, false);
      }
    }
  },
};

function seen({ halves, seen: [first, second] }) {
  if (first && second) return "finds both in it";
  if (!first && !second) return "finds neither in it";
  return `finds “${halves[first ? 0 : 1]}” in it, but not “${halves[first ? 1 : 0]}”`;
}

/** How many training pictures show the one, the other, and both. */
function circles({ halves, counts }) {
  const [left, right, both] = counts.map((count) => count.toLocaleString("en"));
  const text = (x, words, name) => h("svg:text", { x, y: words === halves[0] || words === halves[1] ? 62 : 92, class: name, text: words });
  return h(
    "svg:svg",
    { viewBox: "0 0 460 140", role: "img", "aria-label": `${left} training pictures show “${halves[0]}”, ${right} “${halves[1]}”, ${both} both` },
    h("svg:circle", { cx: 110, cy: 70, r: 68 }),
    h("svg:circle", { cx: 350, cy: 70, r: 68 }),
    text(110, halves[0], "ex-combinations-half"),
    text(110, left, "ex-combinations-count"),
    text(350, halves[1], "ex-combinations-half"),
    text(350, right, "ex-combinations-count"),
    h("svg:text", { x: 230, y: 62, class: "ex-combinations-half", text: "both" }),
    h("svg:text", { x: 230, y: 92, class: "ex-combinations-count ex-combinations-none", text: both }),
  );
}
