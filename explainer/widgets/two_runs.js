// Two runs from the same noise, step by step: what was changed, and how far the pictures part.

const twoRuns = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const fields = ["The first sentence", "The same sentence, changed"].map((title) => {
      const one = promptField(view);
      one.node.querySelector("label").textContent = title;
      one.control.disabled = !live;
      return one;
    });
    const without = h("div", { class: "ex-chips", role: "group", "aria-label": "Take a word away" });
    const draw = h("button", { class: "ex-button ex-button-main", type: "button", text: "Draw both", onclick: send });
    const panel = progressPanel(() => model.send({ type: "cancel" }));
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
    const mark = h("svg:line", { class: "ex-runs-mark", y1: 0, y2: 100, "vector-effect": "non-scaling-stroke" });
    const range = h("input", { class: "ex-runs-range", type: "range", min: 0, step: 1, "aria-label": "Step of both runs" });
    const reading = h("p", { class: "ex-small ex-number" });
    root.append(
      h("div", { class: "ex-runs-form" }, fields[0].node, h("details", { hidden: !live }, h("summary", { text: "Take a word away" }), without), fields[1].node, live ? h("div", {}, draw) : null, panel.node, view.noticeArea),
      changed,
      pictures,
      h("p", { class: "ex-title ex-runs-caption", text: "How far apart the two predicted pictures are, step by step" }),
      h("div", { class: "ex-runs-plot" }, h("svg:svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line, mark)),
      range,
      reading,
    );
    const frames = new Frames(model, view.signal, () => paintAll());
    const ask = view.redraw(paintAll);
    range.addEventListener("input", () => {
      model.set("step", Number(range.value));
      model.save_changes();
    });
    fields[0].control.addEventListener("input", showWords);
    view.watch("step", ask);
    view.watch(["_prompts", "_facts"], show);
    view.watch("_status", showStatus);
    show();
    showStatus();

    function show() {
      model.get("_prompts").forEach((prompt, i) => (fields[i].text = prompt));
      showWords();
      const { words, count, apart } = model.get("_facts");
      changed.replaceChildren("Changed: ", ...(words.length ? words.flatMap(changeOf) : ["nothing"]), ".");
      range.max = count;
      const most = Math.max(...apart, 1e-9);
      const points = apart.map((value, k) => `${(100 * k) / Math.max(1, count)} ${100 - (96 * value) / most}`);
      line.setAttribute("d", `M${points.join("L")}`);
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
      const words = [...fields[0].text.matchAll(/\S+/gu)].slice(0, 60);
      without.replaceChildren(
        ...words.map((found) =>
          h("button", { class: "ex-chip", type: "button", text: found[0], onclick: () => takeAway(found) }),
        ),
      );
    }

    function takeAway(found) {
      const text = fields[0].text;
      fields[1].text = `${text.slice(0, found.index).trimEnd()} ${text.slice(found.index + found[0].length).trimStart()}`.trim();
    }

    function send() {
      const [first, second] = fields.map(({ text }) => text);
      const empty = fields.find(({ text }) => !text.trim());
      for (const one of fields) one.complain(one === empty ? "This sentence is empty. Write what the picture should show." : "");
      if (empty) return empty.control.focus();
      view.notify({});
      model.send({ type: "draw", first, second });
    }

    function showStatus() {
      const status = model.get("_status");
      const busy = status.state !== "idle";
      panel.node.hidden = !busy;
      draw.disabled = busy;
      if (!busy) return;
      panel.words.textContent = waitingWords(status);
      panel.bar.max = status.total || 1;
      if (status.step) panel.bar.value = status.step;
      else panel.bar.removeAttribute("value");
    }

    function paintAll() {
      const { count, apart, picture_rms: rms, seed } = model.get("_facts");
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
      reading.textContent =
        k < count
          ? `Step ${k} of ${count}: the predictions are ${apart[k].toFixed(3)} apart (root mean square of the latents) · ${from}`
          : `Finished: the pictures are ${rms} grey levels of 255 apart (root mean square) · ${from}`;
      range.setAttribute("aria-valuetext", reading.textContent);
    }
  },
};
