// Again: three pictures, their checksums, and how many of their numbers are not the same.

const again = {
  mount(view) {
    const { model, root } = view;
    const tiles = ["first", "second", "other"].map((name) => {
      const canvas = h("canvas", { role: "img" });
      const title = h("strong");
      const told = h("span", { class: "ex-small" });
      const digest = h("code", { class: "ex-again-digest" });
      const node = h("figure", { "data-picture": name }, canvas, h("figcaption", {}, title, told, digest));
      return { name, canvas, title, told, digest, node };
    });
    const waiting = ghost();
    const verdict = h("p", { class: "ex-again-verdict" });
    const small = h("p", { class: "ex-small" });
    const prompt = h("p", { class: "ex-again-prompt" });
    root.append(prompt, h("div", { class: "ex-tiles ex-again" }, ...tiles.map(({ node }) => node), waiting), verdict, small);
    if (canAsk(view)) {
      root.append(askRow(view, { words: "Draw all three here", unit: "step", send: () => ({}), done: "All three are drawn." }));
    } else root.append(onlyLive("Drawing it on your own computer"));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    // The frames last: whether there is a picture is known once they have come.
    view.watch(["_facts", "_frames", "shown"], load);
    load();

    function load() {
      const facts = model.get("_facts");
      const waits = !model.get("shown");
      const titles = { first: `Seed ${facts.seeds[0]}`, second: `Seed ${facts.seeds[0]} again`, other: `Seed ${facts.seeds[1]}` };
      const told = { first: "", second: compared(facts.second, facts.numbers), other: compared(facts.other, facts.numbers) };
      tiles.forEach(({ name, canvas, title, told: words, digest, node }, i) => {
        title.textContent = titles[name];
        words.textContent = told[name];
        digest.textContent = facts.digests ? facts.digests[i] : "";
        node.dataset.same = String(i === 1 && facts.second?.values === 0);
        canvas.setAttribute("aria-label", `${titles[name]}: ${facts.prompt}`);
        node.hidden = name !== "first" && (waits || frames.count(name) === 0);
      });
      prompt.textContent = `“${facts.prompt}”`;
      waiting.hidden = !waits;
      verdict.hidden = waits;
      verdict.textContent = conclusion(facts);
      const where = facts.where === "here" ? "All three were drawn on this computer." : "Recorded, on the computer that made these pages.";
      small.textContent = facts.digests && !waits ? `${where} Below each picture: the checksum (SHA-256) of all its numbers; one number changed, and it is another.` : "";
      ask();
    }

    function draw() {
      for (const { name, canvas } of tiles) {
        const bitmap = frames.get(name, 0);
        if (bitmap) paint(canvas, bitmap, false);
      }
    }
  },
};

function compared(difference, numbers) {
  if (!difference) return "";
  const share = ((100 * difference.values) / numbers).toFixed(0);
  return difference.values ? `${difference.values.toLocaleString("en")} of ${numbers.toLocaleString("en")} numbers differ, ${share} %` : "not one number differs";
}

function conclusion({ second, shown, where, digests }) {
  if (!digests) return "Not drawn a second time yet.";
  const same = second?.values === 0 ? "The same prompt and seed: the same picture, to the bit." : "The same prompt and seed, and yet not the same picture.";
  if (where !== "here" || !shown) return same;
  const recorded = shown.values
    ? `Against the picture that was on show before, ${shown.values.toLocaleString("en")} numbers differ, by ${shown.most} of 255 levels at most: another processor rounds in another place.`
    : "And the same as the picture that was on show before.";
  return `${same} ${recorded}`;
}
