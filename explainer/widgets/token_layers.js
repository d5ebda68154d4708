// One token's vector, layer by layer, as strips; above it where that layer's attention looked.

const COLUMNS = 96;
const NARROW = 48;

const tokenLayers = {
  mount(view) {
    const { model, root } = view;
    const row = h("ul", { class: "ex-tokens ex-layers-tokens", "aria-label": "Choose a token" });
    const looked = h("p", { class: "ex-small ex-number ex-layers-looked" });
    const strips = h("div", { class: "ex-layers" });
    const reading = h("p", { class: "ex-small ex-number" });
    root.append(row, looked, strips, h("div", { class: "ex-cells-foot" }, reading));
    let state = {};
    let at = null;
    let drawn = [];
    const ask = view.redraw(draw);
    view.watch(["_tokens", "_values", "_attention", "_limits", "_turned"], later);
    view.watch(["token", "layer", "shown"], show);
    let loading = 0;
    view.signal.addEventListener("abort", () => cancelAnimationFrame(loading));
    load();

    /** A new sentence changes several traits at once: one drawing is enough. */
    function later() {
      loading ||= requestAnimationFrame(() => {
        loading = 0;
        load();
      });
    }

    function load() {
      const tokens = model.get("_tokens");
      const floats = (name) => new Float32Array(bytesOf(model.get(name)).slice().buffer);
      const [values, attention] = [floats("_values"), floats("_attention")];
      const rows = model.get("_limits").length;
      state = { tokens, values, attention, rows, width: values.length / rows / tokens.length };
      at = null;
      drawn = Array.from({ length: rows }, (_, i) => strip(i));
      strips.replaceChildren(...drawn.map(({ node }) => node));
      row.replaceChildren(...tokens.map(chip));
      show();
    }

    function strip(i) {
      const canvas = h("canvas", { class: "ex-cells" });
      const title = h("span", { class: "ex-title" });
      const note = h("span", { class: "ex-small ex-number" });
      const look = () => {
        if (i > 2) choose("layer", i - 2);
      };
      canvas.addEventListener("focus", look);
      readable(view, canvas, reading, {
        over: (event) => {
          const { columns, rows } = shape();
          point(cellUnder(event, canvas, columns, rows).i);
          look();
        },
        leave: () => point(null),
        step: (right, down) => point(at === null ? 0 : clamp(at + right + down * shape().columns, 0, state.width - 1)),
      });
      const node = h("figure", {}, h("figcaption", { class: "ex-cells-head" }, title, note), canvas);
      return { canvas, title, note, node };
    }

    function chip(token, i) {
      const text = KINDS[token.kind] ?? token.text.trim();
      return h(
        "li",
        { "data-joined": goesOn(token, state.tokens[i - 1]) },
        h(
          "button",
          { class: "ex-token ex-layers-token", type: "button", "data-kind": token.kind, onclick: () => choose("token", i) },
          h("span", { class: "ex-token-text", text }),
          tokenBar(),
        ),
      );
    }

    function choose(name, value) {
      if (model.get(name) === value) return;
      model.set(name, value);
      model.save_changes();
    }

    function vector(i) {
      const start = (i * state.tokens.length + model.get("token")) * state.width;
      return state.values.subarray(start, start + state.width);
    }

    function show() {
      if (!drawn.length) return;
      const [token, layer] = [model.get("token"), model.get("layer")];
      const shown = model.get("shown");
      const count = state.tokens.length;
      const shares = state.attention.subarray(((layer - 1) * count + token) * count, ((layer - 1) * count + token + 1) * count);
      const largest = Math.max(...shares);
      [...row.children].forEach((item, i) => {
        const button = item.firstChild;
        button.setAttribute("aria-pressed", String(i === token));
        button.style.setProperty("--share", shown ? shares[i] / largest : 0);
        button.setAttribute("aria-label", shown ? `${nameOf(i)}, attention ${percent(shares[i])}` : nameOf(i));
      });
      const most = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
      looked.textContent = shown
        ? `In layer ${layer}, “${nameOf(token)}” takes most from ` +
          most.map((i) => `${i === token ? "itself" : `“${nameOf(i)}”`} (${percent(shares[i])})`).join(", ")
        : "The bars under the tokens wait for your guess.";
      drawn.forEach((one, i) => caption(one, i, token));
      ask();
    }

    function nameOf(i) {
      const token = state.tokens[i];
      return KINDS[token.kind] ?? token.text.trim();
    }

    function caption(one, i, token) {
      const last = i === state.rows - 1;
      const titles = [`The table’s row for “${nameOf(token)}”`, `Added for place ${token}`, "Both together"];
      one.title.textContent = titles[i] ?? `After layer ${i - 2}${last ? ": what the denoiser reads" : ""}`;
      one.note.textContent = i > 2 ? `turned by ${Math.round(model.get("_turned")[i - 3][token])}°` : "";
      const values = vector(i);
      one.canvas.setAttribute(
        "aria-label",
        `${one.title.textContent}: ${values.length} numbers from ${signed(Math.min(...values))} to ` +
          `${signed(Math.max(...values))}. Arrow keys read them one by one.`,
      );
    }

    function point(i) {
      at = i !== null && i < state.width ? i : null;
      ask();
    }

    function shape() {
      const columns = Math.min(state.width, root.clientWidth < 600 ? NARROW : COLUMNS);
      return { columns, rows: Math.ceil(state.width / columns) };
    }

    function draw() {
      const { columns, rows } = shape();
      drawn.forEach(({ canvas }, i) => {
        const values = vector(i);
        const limit = model.get("_limits")[i];
        const level = (k) =>
          k < values.length ? clamp(Math.round(127.5 + (127.5 * values[k]) / limit), 0, 255) : null;
        canvas.style.aspectRatio = `${columns} / ${rows}`;
        paint(canvas, cellPicture(columns, rows, level), true);
        if (at !== null) frameCell(canvas, at, columns, rows);
      });
      reading.textContent =
        at === null
          ? `${state.width} numbers a strip; point at one to read it`
          : `Number ${at + 1}, from top to bottom: ${drawn.map((_, i) => signed(vector(i)[at])).join("  ·  ")}`;
    }
  },
};
