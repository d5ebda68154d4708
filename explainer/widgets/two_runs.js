// Two runs from the same noise, step by step: what was changed, and how far the pictures part.

const twoRuns = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function" && model.get("_live");
    const fields = ["The first sentence", "The same sentence, changed"].map((title) => promptField(view, title, live));
    const choose = h("div", { class: "ex-chips", role: "group", "aria-label": "A word of the first sentence" });
    const change = wordChange({ takeAway, swap, weigh });
    const weighed = h("div", { class: "ex-chips ex-runs-weights", role: "group", "aria-label": "Words that count more or less" });
    const negative = field("negative", "What the changed one should avoid", "Guidance leads away from these words", sentenceBox({ class: "ex-input", disabled: !live }));
    let weights = {};
    let chosen = null;
    let typed = false; // since the last drawing was asked for: runs that come in do not erase it
    const draw = h("button", { class: "ex-button ex-button-main", type: "button", text: "Draw both", onclick: send });
    const link = linkCopier(view, "Copy link to the changed run");
    const panel = progressPanel(() => model.send({ type: "cancel" }), draw);
    panel.canvas.hidden = true;
    const changed = h("p", { class: "ex-runs-changed" });
    const canvases = ["first", "second", "difference"].map(() => h("canvas", { role: "img", class: "ex-runs-canvas" }));
    const titles = ["First", "Changed", "Where they differ at the end"];
    const pictures = h(
      "div",
      { class: "ex-runs-pictures" },
      ...canvases.map((canvas, i) => h("figure", {}, h("figcaption", { class: "ex-title", text: titles[i] }), canvas)),
    );
    const area = h("svg:path", { class: "ex-runs-area" });
    const line = h("svg:path", { class: "ex-runs-line", "vector-effect": "non-scaling-stroke" });
    const dashes = h("svg:path", { class: "ex-runs-line ex-runs-unfinished", "vector-effect": "non-scaling-stroke" });
    const mark = h("svg:line", { class: "ex-runs-mark", y1: 0, y2: 100, "vector-effect": "non-scaling-stroke" });
    const range = h("input", { class: "ex-runs-range", type: "range", min: 0, step: 1, "aria-label": "Step of both runs" });
    const reading = h("p", { class: "ex-small ex-number" });
    const waits = ghost();
    const curves = h("div", {}, curveKey(), h("div", { class: "ex-runs-plot" }, h("svg:svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line, dashes, mark)));
    root.append(
      h("div", { class: "ex-runs-form" }, fields[0].node, live ? h("div", { class: "ex-runs-words" }, h("p", { class: "ex-small", text: "Choose a word to change:" }), choose, change.node) : null, fields[1].node, weighed, h("details", {}, h("summary", { text: "Tell it what to avoid" }), negative.node), live ? h("div", {}, draw) : onlyLive("Drawing sentences of your own"), panel.node, view.noticeArea),
      changed,
      pictures,
      h("p", { class: "ex-title ex-runs-caption", text: "How far apart the two runs are, step by step" }),
      waits,
      curves,
      range,
      reading,
      h("div", { class: "ex-share" }, saveMenu(view, "Save the changed run"), link.button),
      link.shown,
    );
    const frames = new Frames(model, view.signal, () => paintAll());
    const ask = view.redraw(paintAll);
    range.addEventListener("input", () => {
      model.set("step", Number(range.value));
      model.save_changes();
    });
    for (const one of [...fields, negative]) one.control.addEventListener("input", () => (typed = true));
    fields[0].control.addEventListener("input", showWords);
    view.watch(["step", "shown"], ask);
    view.watch(["_prompts", "_facts", "_weights", "_negative"], show);
    view.watch("_facts", () => view.say("Both pictures are drawn."));
    view.watch("_status", showStatus);
    show();
    showStatus();

    function fill() {
      model.get("_prompts").forEach((prompt, i) => (fields[i].text = prompt));
      negative.text = model.get("_negative");
      weights = { ...model.get("_weights") };
      showWords();
      showWeights();
    }

    function show() {
      if (!typed) fill();
      const { words, others, count, apart, unfinished, width, height } = model.get("_facts");
      for (const canvas of canvases) canvas.style.aspectRatio = `${width} / ${height}`;
      const all = [...words.flatMap(changeOf), ...others.map((text, i) => h("ins", { text: i || words.length ? `; ${text}` : text }))];
      changed.replaceChildren("Changed: ", ...(all.length ? all : ["nothing"]), ".");
      range.max = count;
      const most = Math.max(...apart, ...unfinished, 1e-9);
      const along = (values) => values.map((value, k) => `${(100 * k) / Math.max(1, count)} ${100 - (96 * value) / most}`);
      const points = along(apart);
      line.setAttribute("d", `M${points.join("L")}`);
      dashes.setAttribute("d", `M${along(unfinished).join("L")}`);
      area.setAttribute("d", `M0 100L${points.join("L")}L${(100 * (apart.length - 1)) / Math.max(1, count)} 100Z`);
      ask();
    }

    function changeOf([before, after], i) {
      return [
        i ? "; " : "",
        before ? h("del", { text: before }) : null,
        before && after ? " → " : null,
        after ? h("ins", { text: after }) : before ? " taken away" : null,
      ].filter((part) => part !== null);
    }

    function showWords() {
      const words = wordMatcher([])(fields[0].text).slice(0, 60);
      choose.replaceChildren(
        ...words.map((found) =>
          h("button", { class: "ex-chip", type: "button", "aria-pressed": "false", text: fields[0].text.slice(found.start, found.end), onclick: (event) => pick(found, event.target) }),
        ),
      );
      chosen = null;
      change.show(null);
    }

    function pick(found, button) {
      chosen = found;
      for (const one of choose.children) one.setAttribute("aria-pressed", String(one === button));
      change.show(button.textContent, weights[found.word] ?? 1);
    }

    function replaceWord(text) {
      const [before, after] = [fields[0].text.slice(0, chosen.start).trimEnd(), fields[0].text.slice(chosen.end).trimStart()];
      const middle = [before, text].filter(Boolean).join(" ");
      fields[1].text = /^[,.;!?]/.test(after) || !after ? middle + after : [middle, after].filter(Boolean).join(" ");
      weighAs(chosen.word, 1);
    }

    function takeAway() {
      replaceWord("");
    }

    function swap(text) {
      if (text.trim()) replaceWord(text.trim());
      else fields[1].text = fields[0].text; // a box that was emptied asks for no other word
    }

    function weigh(weight) {
      // What is weighed must be there, also where it was taken away before.
      if (!wordMatcher([])(fields[1].text).some(({ word }) => word === chosen.word)) fields[1].text = fields[0].text;
      weighAs(chosen.word, weight);
    }

    function weighAs(word, weight) {
      typed = true;
      if (weight === 1) delete weights[word];
      else weights[word] = weight;
      showWeights();
    }

    function showWeights() {
      weighed.replaceChildren(
        ...Object.entries(weights).map(([word, weight]) =>
          h("button", { class: "ex-button ex-button-quiet", type: "button", text: `“${word}” counts × ${weight}  ✕`, "aria-label": `“${word}” counts ${weight} times; press to undo`, disabled: !live, onclick: () => undo(word) }),
        ),
      );
      weighed.hidden = weighed.children.length === 0;
    }

    function undo(word) {
      weighAs(word, 1);
      (weighed.querySelector("button") ?? draw).focus(); // the button that was pressed is gone
      if (chosen?.word === word) change.show(change.word, 1);
    }

    function send() {
      const [first, second] = fields.map(({ text }) => text);
      // From the last to the first, so that the first one that is empty has the focus in the end.
      if ([...fields].reverse().filter((one) => one.isEmpty()).length) return;
      view.notify({});
      typed = false;
      model.send({ type: "draw", first, second, negative: negative.text, weights });
    }

    function showStatus() {
      draw.setAttribute("aria-disabled", String(panel.show(model.get("_status"))));
    }

    function paintAll() {
      const { count, apart, unfinished, half, picture_rms: rms, seed } = model.get("_facts");
      const shown = model.get("shown");
      waits.hidden = shown;
      curves.hidden = !shown;
      const k = clamp(model.get("step"), 0, count);
      ["first", "second"].forEach((name, i) => {
        const bitmap = k < count ? frames.get(`${name}/x0`, k) : frames.get(`${name}/picture`, 0);
        if (bitmap) paint(canvases[i], bitmap, false);
        canvases[i].setAttribute("aria-label", `${titles[i]}: ${model.get("_prompts")[i]}, ${k < count ? `prediction at step ${k}` : "finished"}`);
      });
      const heat = frames.get("difference", 0);
      if (heat) paint(canvases[2], heat, false);
      canvases[2].setAttribute("aria-label", `${titles[2]}: ${rms} grey levels of 255 on average`);
      range.value = k;
      const x = (100 * k) / Math.max(1, count);
      mark.setAttribute("x1", x);
      mark.setAttribute("x2", x);
      const from = seed === null ? "the same noise" : `the same noise, seed ${seed}`;
      const distances = shown && k < count ? `: the predictions are ${apart[k].toFixed(3)} apart, the unfinished pictures ${unfinished[k].toFixed(3)} (root mean square of their numbers)` : "";
      const halfway = shown && half !== null ? `; half of the difference between the unfinished pictures (dashed) was in after ${half} of ${count} steps` : "";
      reading.textContent =
        k < count
          ? `Step ${k} of ${count}${distances} · ${from}`
          : `Finished: the pictures are ${rms} grey levels of 255 apart (root mean square)${halfway} · ${from}`;
      range.setAttribute("aria-valuetext", reading.textContent);
    }
  },
};

/** What the two lines are. */
function curveKey() {
  const sample = (name) => h("svg:svg", { "aria-hidden": "true" }, h("svg:path", { class: name, d: "M0 5H26" }));
  return h(
    "p",
    { class: "ex-small ex-runs-key" },
    h("span", {}, sample("ex-runs-line"), " the two predictions: what each run would draw if it had to finish now"),
    h("span", {}, sample("ex-runs-line ex-runs-unfinished"), " the two unfinished pictures, which begin as the same noise"),
  );
}

/** What can be done with a chosen word: take it away, put another in its place, let it count. */
function wordChange({ takeAway, swap, weigh }) {
  const name = h("strong");
  const other = h("input", { class: "ex-input ex-runs-other", type: "text", autocomplete: "off", placeholder: "another word", "aria-label": "Another word in its place" });
  const slider = h("input", { class: "ex-slider", type: "range", min: 0, max: 3, step: 0.25, value: 1, "aria-label": "How much the word counts" });
  const told = h("output", { class: "ex-number" });
  other.addEventListener("input", () => swap(other.value));
  slider.addEventListener("input", () => {
    told.textContent = `× ${slider.value}`;
    weigh(Number(slider.value));
  });
  const node = h(
    "div",
    { class: "ex-runs-change", hidden: true },
    name,
    h("button", { class: "ex-button", type: "button", text: "Take it away", onclick: takeAway }),
    h("label", { class: "ex-runs-part" }, "swap it for ", other),
    h("label", { class: "ex-runs-part" }, "let it count ", slider, told),
  );
  const made = {
    node,
    word: "",
    show(word, weight = 1) {
      node.hidden = word === null;
      made.word = word;
      name.textContent = word === null ? "" : `“${word}”`;
      other.value = "";
      slider.value = weight;
      told.textContent = `× ${weight}`;
    },
  };
  return made;
}
