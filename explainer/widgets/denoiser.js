// The denoiser: a UNet as a U, the finest level on top; below it what goes in and out of one part.

const PART_NAMES = {
  time: "Time embedding",
  in: "First convolution",
  convolutions: "Convolutions",
  "self-attention": "Self-attention",
  "cross-attention": "Cross-attention",
  out: "Last convolution",
};
const PART_WORDS = {
  time: "The timestep as a vector. Every block's convolutions add it, so that they know how much noise to expect. It says nothing about places.",
  in: "The noisy latents go in; each place becomes a longer list of numbers.",
  convolutions: "Each place is mixed with its neighbours, and the time embedding is added.",
  "self-attention": "Every place looks at every other place, so that far parts of the picture agree. Shown is what this adds.",
  "cross-attention": "Every place looks the text's vectors up, and takes what concerns it. Shown is what this adds.",
  out: "The prediction itself: the noise in the latents, for the prompt.",
};

const denoiser = {
  mount(view) {
    const { model, root } = view;
    const drawing = h("div", { class: "ex-unet", role: "group", "aria-label": "Parts of the denoiser" });
    const title = h("p", { class: "ex-title" });
    const words = h("p", { class: "ex-small" });
    const range = h("input", { class: "ex-unet-range", type: "range", min: 0, step: 1, "aria-label": "Step of the run" });
    const moment = h("span", { class: "ex-small ex-number" });
    const steps = h("p", { class: "ex-unet-steps" }, range, moment);
    const flow = h("div", { class: "ex-unet-flow" });
    const reads = h("p", { class: "ex-small ex-number" });
    const scale = h("p", { class: "ex-small" });
    root.append(drawing, h("div", { class: "ex-unet-panel" }, title, words, steps, flow, reads, scale));
    const chosen = h("span", { class: "ex-small" });
    view.watch("_next", showNext);
    showNext();
    if (canAsk(view)) root.append(askRow(view, { words: "Look into this run", unit: "step", fields: [chosen], send: () => ({}), done: "The parts show your run." }));
    else root.append(onlyLive("A look into a run of your own"));
    let parts;
    let bits;
    let tiles = [];
    const ask = view.redraw(draw);
    range.addEventListener("input", () => {
      model.set("position", Number(range.value));
      model.save_changes();
    });
    view.watch("position", ask);
    view.watch("part", showPart);
    view.watch(["_parts", "_facts"], load);
    load();

    function showNext() {
      chosen.textContent = `Drawn or chosen last: ${model.get("_next")}`;
    }

    function load() {
      parts = new Map(model.get("_parts").map((part) => [part.name, part]));
      const data = model.get("_maps");
      bits = new DataView(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
      range.max = Math.max(0, (model.get("_facts").steps?.length ?? 1) - 1);
      steps.hidden = !model.get("_facts").steps;
      renew(drawing, ...unet());
      showPart();
    }

    function unet() {
      const all = [...parts.values()];
      const deepest = Math.max(...all.map(({ level }) => level));
      const [time, first] = ["time", "in"].map((kind) => all.find((part) => part.kind === kind));
      const last = all.find((part) => part.kind === "out");
      const rows = [
        h("div", { class: "ex-unet-time" }, button(time), h("span", { class: "ex-small", text: "reaches the convolutions of every block; the text reaches every cross-attention" })),
        h("div", { class: "ex-unet-row ex-unet-ends ex-small" }, h("span", { text: "↓ noisy state" }), h("span"), h("span", { text: "predicted noise ↑" })),
        h("div", { class: "ex-unet-row" }, button(first), h("span"), button(last)),
      ];
      for (let level = 0; level <= deepest; level += 1) {
        const down = blockOf(all, `down_blocks.${level}`);
        const up = blockOf(all, `up_blocks.${deepest - level}`);
        const row = h("div", { class: "ex-unet-row" }, stack(down, "down"), h("span", { class: "ex-unet-skip ex-small" }, h("span", { text: "kept for the way up" })), stack(up, "up"));
        row.style.setProperty("--level", level);
        rows.push(row);
      }
      const middle = blockOf(all, "mid_block");
      if (middle.length) rows.push(h("div", { class: "ex-unet-row ex-unet-middle" }, stack(middle, "middle")));
      return rows;
    }

    function blockOf(all, name) {
      return all.filter((part) => part.name === name || part.name.startsWith(`${name}.`));
    }

    function stack(block, side) {
      const { channels, size } = block[0];
      const caption = h("span", { class: "ex-unet-size ex-small ex-number", text: `${channels} × ${size.join(" × ")}` });
      return h("div", { class: "ex-unet-block", "data-side": side }, caption, ...block.map(button));
    }

    function button(part) {
      return h("button", {
        class: "ex-button ex-unet-part",
        type: "button",
        "data-part": part.name,
        "data-kind": part.kind,
        text: nameOf(part),
        onclick: () => {
          model.set("part", part.name);
          model.save_changes();
          showPart();
        },
      });
    }

    function nameOf({ kind, side, name }) {
      if (kind !== "block") return PART_NAMES[kind];
      if (side === "middle") return "Out of the middle";
      const halved = changesSize(name);
      if (side === "down") return halved ? "Out, half as large" : "Out";
      return halved ? "Out, twice as large" : "Out";
    }

    function changesSize(name) {
      const part = parts.get(name);
      const before = parts.get(part.sources[0]);
      return part.size.join() !== before.size.join();
    }

    function showPart() {
      const part = parts.get(model.get("part"));
      if (!part) return;
      for (const one of drawing.querySelectorAll(".ex-unet-part")) {
        one.setAttribute("aria-pressed", String(one.dataset.part === part.name));
        one.classList.toggle("ex-unet-source", part.sources.includes(one.dataset.part));
      }
      title.replaceChildren(nameOf(part), " ", h("code", { class: "ex-small", text: part.name }));
      words.textContent = wordsOf(part);
      const known = model.get("_facts").parts ?? {};
      const { in: went, out: came } = known[part.name] ?? {};
      const groups = [["Goes in", went], ["Comes out", came]].filter(([, numbers]) => numbers);
      tiles = [];
      flow.replaceChildren(...groups.map(group));
      scale.textContent = groups.length
        ? "The four channels of each that vary most over the picture; blue below zero, orange above, every part with its own scale. Numbers are over all channels."
        : "Nobody has looked into it yet.";
      ask();
    }

    function wordsOf(part) {
      if (part.kind === "convolutions" && part.side === "up") {
        return `${PART_WORDS.convolutions} Beside what comes from below lies what the way down saw at this size, so that details are not lost.`;
      }
      if (part.kind !== "block") return PART_WORDS[part.kind];
      if (part.side === "down") return "What leaves this block for the next, where each place stands for more of the picture.";
      return part.side === "up" ? "What leaves this block on its way to the full size." : "What leaves the middle, where each place has seen the whole picture.";
    }

    function group([what, numbers]) {
      const [, count, height, width] = numbers.shape;
      // The time embedding is one long row: it is folded so that its cells can be seen.
      const columns = height === 1 ? Math.min(width, 32) : width;
      const rows = height === 1 ? Math.ceil(width / columns) : height;
      const facts = h("span", { class: "ex-small ex-number" });
      const canvases = Array.from({ length: count }, (_, c) => {
        const canvas = h("canvas", { class: "ex-cells", role: "img" });
        canvas.style.aspectRatio = `${columns} / ${rows}`;
        tiles.push({ canvas, numbers, c, columns, rows, facts, what });
        return canvas;
      });
      return h(
        "div",
        {},
        h("p", {}, h("strong", { text: what }), " ", facts),
        h("div", { class: "ex-unet-maps", "data-count": count }, ...canvases),
      );
    }

    function draw() {
      const facts = model.get("_facts");
      if (!facts.steps) return;
      const k = clamp(model.get("position"), 0, facts.steps.length - 1);
      range.value = k;
      moment.textContent = facts.steps[k];
      range.setAttribute("aria-valuetext", facts.steps[k]);
      for (const { canvas, numbers, c, columns, rows, facts: told, what } of tiles) {
        const { start, shape, limit, rms } = numbers;
        const [, count, height, width] = shape;
        const from = start + (k * count + c) * height * width;
        const level = (cell) =>
          cell < height * width ? clamp(Math.round(127.5 + (127.5 * fromHalf(bits.getUint16(2 * (from + cell), true))) / limit), 0, 255) : null;
        paint(canvas, cellPicture(columns, rows, level), true);
        told.textContent = `${height === 1 ? `${width} numbers` : `${height} × ${width} places`}, RMS ${rms[k].toFixed(2)}`;
        canvas.setAttribute("aria-label", `${what}, channel ${c + 1} of those shown, ${facts.steps[k]}`);
      }
      reads.textContent = readsOf(facts, k);
    }

    function readsOf(facts, k) {
      const part = parts.get(model.get("part"));
      const shares = facts.parts?.[part.name]?.reads?.[k];
      if (!shares) return "";
      const most = shares.map((share, i) => [share, facts.words[i]]).sort(([a], [b]) => b - a).slice(0, 5);
      const rest = 1 - shares.reduce((sum, share) => sum + share, 0);
      const listed = most.map(([share, word]) => `${word} ${Math.round(100 * share)} %`).join(" · ");
      return `Looks most at: ${listed}${rest > 0.005 ? ` · padding ${Math.round(100 * rest)} %` : ""}`;
    }
  },
};
