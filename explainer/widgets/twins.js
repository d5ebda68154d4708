// Twins: which of two pictures is the copy? The answer comes after the guess.

const twins = {
  mount(view) {
    const { model, root } = view;
    const original = tile();
    const sides = [tile("ex-twins-side"), tile("ex-twins-side")];
    sides.forEach((side, i) => side.node.append((side.button = h("button", { class: "ex-button", type: "button", text: "This is the copy", onclick: () => guess(i) }))));
    const prompt = h("p", { class: "ex-twins-prompt" });
    const answer = h("p", { class: "ex-twins-answer" });
    const place = h("span", { class: "ex-small ex-number" });
    const back = h("button", { class: "ex-button", type: "button", text: "Back", onclick: () => go(-1) });
    const next = h("button", { class: "ex-button", type: "button", text: "Next", onclick: () => go(1) });
    root.append(
      prompt,
      h("div", { class: "ex-tiles ex-twins" }, original.node, ...sides.map(({ node }) => node)),
      answer,
      h("div", { class: "ex-twins-row" }, back, next, place),
    );
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["chosen", "guessed"], load);
    load();

    function tile(name) {
      const canvas = h("canvas", { role: "img" });
      const title = h("strong");
      const told = h("span", { class: "ex-small ex-number" });
      return { canvas, title, told, node: h("figure", { class: name }, canvas, h("figcaption", {}, title, told)) };
    }

    function orders() {
      const { left } = model.get("_told")[model.get("chosen")];
      return left === "twin" ? ["twin", "model"] : ["model", "twin"];
    }

    function go(by) {
      model.set("chosen", clamp(model.get("chosen") + by, 0, model.get("_told").length - 1));
      model.save_changes();
      load();
    }

    function guess(side) {
      const right = orders()[side] === "twin";
      model.set("guessed", [...new Set([...model.get("guessed"), model.get("chosen")])]);
      model.save_changes();
      load();
      answer.textContent = `${right ? "Yes." : "No, it is the other one."} ${answer.textContent}`;
      view.say(answer.textContent);
      (isLast() ? back : next).focus(); // the button that was pressed is gone
    }

    function isLast() {
      return model.get("chosen") === model.get("_told").length - 1;
    }

    function load() {
      const chosen = model.get("chosen");
      const all = model.get("_told");
      const one = all[chosen];
      const known = model.get("guessed").includes(chosen);
      prompt.textContent = `“${one.prompt}”`;
      place.textContent = `${chosen + 1} of ${all.length}`;
      // Not disabled: the one that was pressed keeps the focus.
      back.setAttribute("aria-disabled", String(chosen === 0));
      next.setAttribute("aria-disabled", String(isLast()));
      original.title.textContent = `Training picture ${one.number}`;
      original.told.textContent = "this is its caption";
      original.canvas.setAttribute("aria-label", `Training picture ${one.number}: ${one.prompt}`);
      orders().forEach((name, i) => {
        const { canvas, title, told, button, node } = sides[i];
        const at = name === "model" ? 0 : 1;
        const { clip, pixels } = one.distances;
        button.hidden = known;
        node.dataset.copy = String(known && name === "twin");
        title.textContent = !known ? `Picture ${i + 1}` : name === "model" ? "By the model" : "By its twin";
        told.textContent = known ? `from the training picture: ${clip[at].toFixed(3)} by CLIP, ${pixels[at].toFixed(3)} by pixels` : `seed ${one.seed}`;
        canvas.setAttribute("aria-label", `${title.textContent}, from the caption “${one.prompt}”`);
      });
      answer.textContent = known ? distanceWords(one.distances) : "";
      ask();
    }

    function draw() {
      const chosen = model.get("chosen");
      for (const [canvas, name] of [[original.canvas, "training"], ...orders().map((name, i) => [sides[i].canvas, name])]) {
        const bitmap = frames.get(name, chosen);
        if (bitmap) paint(canvas, bitmap, false);
      }
    }
  },
};

function distanceWords({ pixels: [model, twin] }) {
  const times = model / Math.max(twin, 1e-4);
  if (times < 1.2) return "By pixels the twin's picture is hardly nearer to the training picture than the model's.";
  return `By pixels the twin's picture is ${times.toFixed(1)} times nearer to the training picture than the model's.`;
}
