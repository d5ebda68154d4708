// The trace file: chosen, dropped or named; it travels in parts, each sent when the last has come.

const traceFile = {
  mount(view) {
    const { model, root } = view;
    if (typeof model.send !== "function") return root.append(onlyLive("Opening a trace file"));
    const file = h("input", { type: "file", accept: ".trace", hidden: true, onchange: () => begin(file.files[0]) });
    const button = h("button", { class: "ex-button ex-button-main", type: "button", text: "Open a trace file…", onclick: () => file.click() });
    const bar = h("progress", { class: "ex-trace-bar", max: 1, hidden: true, "aria-label": "How much of the file has arrived" });
    const stop = h("button", { class: "ex-button", type: "button", text: "Cancel", hidden: true, onclick: end });
    const told = h("p", { class: "ex-small", text: "Or drop one here. It stays on this computer and the one that runs the page." });
    const path = h("input", { class: "ex-input", type: "text", placeholder: "/home/me/fox.trace", autocomplete: "off", spellcheck: "false", "aria-label": "Path of a trace file" });
    const form = h(
      "form",
      { class: "ex-trace-path", onsubmit: named },
      h("label", { class: "ex-small" }, "A large one, by its path on the computer that runs the page", path),
      h("button", { class: "ex-button", type: "submit", text: "Open" }),
    );
    const drop = h("div", { class: "ex-trace-drop" }, button, file, bar, stop, told);
    const titles = model.get("_titles");
    const shelf = titles.map((title) => h("button", { class: "ex-button ex-button-quiet", type: "button", text: title, onclick: () => model.send({ type: "shelf", title }) }));
    const shelves = titles.length ? h("div", { class: "ex-trace-shelf" }, h("span", { class: "ex-small", text: "Here already:" }), ...shelf) : null;
    root.append(...[drop, form, shelves].filter(Boolean));
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.dataset.over = "true";
    });
    drop.addEventListener("dragleave", () => delete drop.dataset.over);
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      delete drop.dataset.over;
      begin(event.dataTransfer.files[0]);
    });
    let coming = null;
    view.watch("_received", next);
    view.watch("_notice", () => model.get("_notice")?.kind === "error" && end());

    function named(event) {
      event.preventDefault();
      model.send({ type: "open", path: path.value });
    }

    function begin(given) {
      file.value = "";
      if (!given) return;
      const most = model.get("_limits").file;
      if (!given.size || given.size > most) {
        const text = `${given.name}: traces have from 1 byte to ${Math.round(most / 2 ** 20)} MB. Choose another.`;
        return view.notify({ kind: "error", text });
      }
      coming = { given, from: 0 };
      model.send({ type: "begin", name: given.name, size: given.size });
      show();
      send();
    }

    async function send() {
      const { given, from } = coming;
      const part = given.slice(from, from + model.get("_limits").part);
      // While a part is read, nothing is awaited: what comes then is about the file before.
      coming.sent = null;
      const bytes = await part.arrayBuffer().catch(() => null);
      if (coming?.given !== given) return;
      if (!bytes) {
        end();
        return view.notify({ kind: "error", text: `${given.name} cannot be read. Is it still there?` });
      }
      coming.sent = from + part.size;
      model.send({ type: "part" }, undefined, [new DataView(bytes)]);
    }

    function next() {
      if (!coming || model.get("_received") !== coming.sent) return;
      if (coming.sent >= coming.given.size) return end();
      coming.from = coming.sent;
      show();
      send();
    }

    function end() {
      coming = null;
      show();
    }

    function show() {
      button.setAttribute("aria-disabled", String(Boolean(coming)));
      bar.hidden = !coming;
      hide(stop, !coming, button);
      if (coming) bar.value = coming.from / coming.given.size;
    }
  },
};
