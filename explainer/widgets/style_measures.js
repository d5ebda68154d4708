// Style measures: a row for each style; a band for the middle half of its drawings, a dot for each generated picture.

const styleMeasures = {
  mount(view) {
    const { model, root } = view;
    const names = Object.keys(model.get("_facts"));
    const buttons = names.map((name) => h("button", { class: "ex-button", type: "button", text: name, onclick: () => choose(name) }));
    const meaning = h("p", { class: "ex-style-measures-meaning" });
    const rows = h("div", { class: "ex-style-measures" });
    const scale = h("div", { class: "ex-style-measures-scale ex-small ex-number", "aria-hidden": "true" });
    const verdict = h("p", { class: "ex-style-measures-verdict ex-number" });
    const key = h("p", { class: "ex-small ex-style-measures-key" }, h("span", { class: "ex-style-measures-band" }), " the middle half of the training drawings, with their median ", h("span", { class: "ex-style-measures-dot" }), " a generated picture");
    const waits = ghost();
    root.append(h("div", { class: "ex-style-measures-names", role: "group", "aria-label": "Measure" }, ...buttons), meaning, waits, rows, scale, key, verdict);
    view.watch(["measure", "shown", "_own"], load);
    load();

    function choose(name) {
      model.set("measure", name);
      model.save_changes();
    }

    function load() {
      const name = model.get("measure");
      const { meaning: words, between, drawings, generated } = model.get("_facts")[name];
      const { name: whose, values } = model.get("_own");
      const own = values?.[name] ?? null;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(names[i] === name)));
      meaning.textContent = `${name[0].toUpperCase()}${name.slice(1)}: ${words}.`;
      waits.hidden = model.get("shown");
      for (const node of [rows, scale, key, verdict]) node.hidden = !model.get("shown");
      const all = [...Object.values(drawings).flat(), ...Object.values(generated).flat(), ...(own === null ? [] : [own])];
      const [low, high] = [Math.min(...all), Math.max(...all)];
      const room = (high - low || 1) * 0.04;
      const at = (value) => `${(100 * (value - low + room)) / (high - low + 2 * room)}%`;
      rows.replaceChildren(...Object.entries(drawings).map(([style, cuts]) => row(style, cuts, generated[style], own, at)));
      scale.replaceChildren(h("span", { text: number(low) }), h("span", { text: number(high) }));
      verdict.textContent =
        `${percentOf(between)} of what differs among the drawings in this measure lies between styles, the rest within them. ` +
        `The drawings in ${Object.keys(drawings)[0]} are ${rankOf(Object.values(drawings).map((cuts) => cuts[1]))} in it, by their medians. ` +
        (own === null ? "" : `The line: ${whose}, ${number(own)}.`);
    }

    function row(style, [first, median, last], made, own, at) {
      const band = h("span", { class: "ex-style-measures-band" });
      band.style.left = at(first);
      band.style.right = `calc(100% - ${at(last)})`;
      const tick = h("span", { class: "ex-style-measures-median" });
      tick.style.left = at(median);
      const dots = made.map((value) => {
        const dot = h("span", { class: "ex-style-measures-dot" });
        dot.style.left = at(value);
        return dot;
      });
      const mine = h("span", { class: "ex-style-measures-own" });
      if (own !== null) mine.style.left = at(own);
      mine.hidden = own === null;
      const mean = made.reduce((sum, value) => sum + value, 0) / made.length;
      const words = `drawings ${number(median)}, generated ${number(mean)}`;
      return h(
        "div",
        { class: "ex-style-measures-row", role: "img", "aria-label": `${style}: ${words}` },
        h("span", { class: "ex-style-measures-name", text: style }),
        h("span", { class: "ex-style-measures-track" }, band, tick, ...dots, mine),
        h("span", { class: "ex-small ex-number", text: words }),
      );
    }

    function number(value) {
      return (Math.abs(value) >= 20 ? Math.round(value) : Number(value.toFixed(1))).toString().replace("-", "−");
    }

    /** Which place the first of some values has among all of them. */
    function rankOf(values) {
      const above = values.filter((value) => value > values[0]).length;
      if (above === 0) return "highest of all styles";
      return above === values.length - 1 ? "lowest of all styles" : `number ${above + 1} of ${values.length} from the top`;
    }

    function percentOf(share) {
      return share < 0.01 ? "Less than 1 %" : `${Math.round(100 * share)} %`;
    }
  },
};
