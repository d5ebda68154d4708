// The model picker: what a model takes beside what is free, one bar a memory; then a way to load it.

const modelPicker = {
  mount(view) {
    const { model, root } = view;
    root.classList.add("ex-picker"); // by which the tour finds it, also where it is a recording
    if (typeof model.send !== "function") return root.append(onlyLive("Loading a model of your own"));
    const box = h("input", { class: "ex-input ex-picker-box", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    const source = field("source", "A hub id or a folder on this computer", "Nothing is fetched and nothing loaded yet.", box);
    const look = h("button", { class: "ex-button ex-button-main", type: "submit", text: "What does it take?" });
    const chips = h("div", { class: "ex-chips", role: "group", "aria-label": "Examples" });
    const form = h("form", { class: "ex-picker-form", onsubmit: ask }, source.node, h("div", {}, look), chips);
    const hub = h("div", { class: "ex-picker-hub", hidden: true });
    const found = h("div", { class: "ex-picker-found", hidden: true });
    const bar = h("progress", { class: "ex-ask-bar ex-picker-bar", max: 1, "aria-label": "Progress" });
    const told = h("span", { class: "ex-small ex-number" });
    const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
    const waiting = h("div", { class: "ex-picker-waiting", hidden: true }, told, bar, cancel);
    root.append(form, hub, found, waiting);
    box.addEventListener("input", keep);
    view.watch("source", () => (source.text = model.get("source")));
    view.watch("_facts", () => {
      load();
      if (model.get("_facts").model) view.say(`${model.get("_facts").model} is measured.`);
    });
    view.watch("_status", show);
    chips.replaceChildren(...model.get("_examples").map(example));
    source.text = model.get("source");
    load();
    show();

    function keep() {
      model.set("source", box.value);
      model.save_changes();
    }

    function ask(event) {
      event.preventDefault();
      model.send({ type: "look", source: box.value });
    }

    function example(text) {
      const take = () => {
        source.text = text;
        keep();
        box.focus();
      };
      return h("button", { class: "ex-button ex-button-quiet ex-picker-example", type: "button", text, onclick: take });
    }

    function load() {
      const facts = model.get("_facts");
      hide(hub, !facts.ask_hub, look);
      found.hidden = !facts.model;
      if (facts.ask_hub) askHub(facts.ask_hub);
      if (facts.model) tell(facts);
    }

    function askHub(id) {
      const go = () => model.send({ type: "look", source: id, hub: true });
      hub.replaceChildren(
        h("p", {}, "This names a model on ", h("strong", { text: "huggingface.co" }), ". Shall its list of files be asked for? The heads of the files are read, some hundred kilobytes; no weights are fetched."),
        h("button", { class: "ex-button ex-button-main", type: "button", text: "Ask the hub", onclick: go }),
      );
    }

    function tell(facts) {
      const most = Math.max(...facts.parts.map((part) => part[3]), 1);
      const rows = facts.parts.map(([name, kind, count, values]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row", text: name }),
          h("td", { class: "ex-picker-kind", text: kind }),
          h("td", { class: "ex-number", text: count }),
          h("td", { class: "ex-picker-share", "aria-hidden": "true" }, h("span", { style: `width: ${Math.max(1, (100 * values) / most)}%` })),
        ),
      );
      const lines = [facts.pipeline, `draws ${facts.size} pixels`, facts.licence && `licence ${facts.licence}`, facts.download && `${facts.download} to fetch`];
      found.replaceChildren(
        h("p", { class: "ex-title", text: `${facts.model}: ${facts.values} numbers` }),
        h("p", { class: "ex-small ex-number", text: lines.filter(Boolean).join(" · ") }),
        h("table", { class: "ex-picker-parts" }, h("tbody", {}, ...rows)),
        h("p", { class: "ex-title ex-picker-lead", text: "Ways to run it here" }),
        h("p", { class: "ex-small", text: facts.gpu ? `GPU: ${facts.gpu}. ` : "torch sees no GPU on this computer." }),
        h("ul", { class: "ex-picker-ways" }, ...facts.ways.map((way, i) => wayRow(way, i, facts))),
      );
      if (!facts.ways.some(({ fits }) => fits)) found.append(tooBig());
    }

    function wayRow({ words, fits, bars }, i, { download }) {
      const text = download ? "Fetch and load" : "Load";
      const go = h("button", { class: fits ? "ex-button ex-button-main" : "ex-button", type: "button", text, disabled: !fits, "aria-label": `${text} ${words}`, onclick: () => model.send({ type: "load", way: i }) });
      return h(
        "li",
        { "data-fits": String(fits) },
        h("div", { class: "ex-picker-way" }, h("strong", { text: fits ? "✓ fits" : "✗ too big" }), ` ${words}`, ...bars.map(memoryBar)),
        go,
      );
    }

    function memoryBar({ of, needs, free, words }) {
      const whole = Math.max(needs, free);
      return h(
        "div",
        { class: "ex-picker-memory" },
        h("span", { class: "ex-picker-free", "aria-hidden": "true" },
          h("span", { class: "ex-picker-room", style: `width: ${(100 * free) / whole}%` }),
          h("span", { class: "ex-picker-needs", style: `width: ${(100 * needs) / whole}%` })),
        h("span", { class: "ex-small ex-number", text: `${of}: takes ${words}` }),
      );
    }

    function tooBig() {
      return h("p", { class: "ex-picker-toobig" }, "It is too big for this computer. Record it on another one, and open the trace here: ", h("code", { text: `explainer record "a fox in the snow" --model ${model.get("_facts").model}` }));
    }

    function show() {
      const { state, share, seconds } = model.get("_status");
      const busy = state !== "idle";
      const begun = busy && waiting.hidden;
      hide(waiting, !busy, look);
      for (const one of [look, ...hub.querySelectorAll("button"), ...found.querySelectorAll("button")]) one.setAttribute("aria-disabled", String(busy));
      if (share === null || share >= 1) bar.removeAttribute("value");
      else bar.value = share;
      const words = { measuring: "Reading the heads of the files…", waiting: "Waiting for a turn at the processor…", loading: "Loading…" };
      const fetched = share === null || share >= 1 ? "" : ` ${Math.round(100 * share)} % fetched`;
      told.textContent = busy ? `${words[state]}${fetched}${seconds > 2 ? ` ${seconds} s` : ""}` : "";
      if (begun) view.say(told.textContent);
    }
  },
};
