// The fade: x_t = √ᾱ · x + √(1 − ᾱ) · ε, drawn anew for every move of the slider.

const DECIBELS = 40;
const STATIC_SEED = 7;

function decibels(signal) {
  return signal >= 1 ? Infinity : 10 * Math.log10(signal / (1 - signal));
}

function noiseWords(signal) {
  return signal >= 1 ? "no noise" : `${(100 * (1 - signal)).toFixed(1)} % noise`;
}

const fade = {
  mount(view) {
    const { model, root } = view;
    const size = model.get("_size");
    const length = 3 * size * size;
    const signal = model.get("_signal");
    const last = signal.length - 1;
    const { normal } = diceOf(STATIC_SEED);
    const noise = Float32Array.from({ length }, normal);
    const offscreen = new OffscreenCanvas(size, size);
    const pixels = new ImageData(size, size);
    const canvas = h("canvas", { class: "ex-fade-canvas", role: "img" });
    const formula = h("p", { class: "ex-fade-formula ex-number" });
    const facts = h("p", { class: "ex-small ex-number" });
    const verdict = h("p", { class: "ex-fade-verdict ex-number", hidden: true });
    const lost = h("button", {
      class: "ex-button ex-button-main",
      type: "button",
      text: "Here I lose it",
      onclick: reveal,
    });
    const upload = uploadButton(() => size, show, complain);
    const own = upload.querySelector("button");
    const choices = model.get("_titles").map((title, i) =>
      h("button", { class: "ex-button", type: "button", text: title, "aria-pressed": "false", onclick: () => choose(i) }),
    );
    const slider = curveSlider({ label: "Noise level", from: "clean", to: "static" });
    slider.draw(signal.map((share) => Math.min(DECIBELS, decibels(share))), {
      floor: -DECIBELS,
      ceiling: DECIBELS,
      level: 0,
    });
    slider.range.addEventListener("input", () => move(Number(slider.range.value)));
    root.append(
      h("div", { class: "ex-fade-choices", role: "group", "aria-label": "Picture" }, ...choices, upload),
      h(
        "div",
        { class: "ex-fade" },
        canvas,
        h("div", { class: "ex-fade-side" }, formula, facts, lost, verdict),
      ),
      h("p", { class: "ex-small", text: "Signal to noise at each training timestep; on the dashed line there is as much noise as picture." }),
      slider.node,
    );
    const ask = view.redraw(draw);
    view.watch(["level", "_pixels"], ask);
    ask();

    function move(level) {
      model.set("level", clamp(level, 0, last));
      model.save_changes();
    }

    function choose(i) {
      const all = bytesOf(model.get("_choices"));
      show(new DataView(all.slice(i * length, (i + 1) * length).buffer));
    }

    function show(picture) {
      view.notify({});
      model.set("_pixels", picture);
      model.save_changes();
    }

    /** Which of the choices is on show, whoever chose it; -1 for none of them. */
    function placeOf(picture) {
      const all = bytesOf(model.get("_choices"));
      return choices.findIndex((_, i) => picture.every((value, at) => value === all[i * length + at]));
    }

    function complain(text) {
      view.notify({ kind: "error", text });
    }

    function reveal() {
      const share = signal[model.get("level")];
      verdict.hidden = false;
      verdict.textContent =
        `You lost it at timestep ${model.get("level")}: ${noiseWords(share)}. ` +
        `${last - model.get("level")} of ${last} training timesteps are noisier than that, and the model practises on those, too.`;
      view.say(verdict.textContent);
    }

    function draw() {
      const level = clamp(model.get("level"), 0, last);
      const keep = Math.sqrt(signal[level]);
      const add = Math.sqrt(1 - signal[level]);
      const clean = bytesOf(model.get("_pixels"));
      for (let i = 0, to = 0; i < length; i += 1, to += i % 3 ? 1 : 2) {
        pixels.data[to] = 127.5 * (1 + keep * (clean[i] / 127.5 - 1) + add * noise[i]);
      }
      for (let to = 3; to < pixels.data.length; to += 4) pixels.data[to] = 255;
      offscreen.getContext("2d").putImageData(pixels, 0, 0);
      paint(canvas, offscreen, true);
      formula.textContent = `${keep.toFixed(3)} × picture + ${add.toFixed(3)} × noise`;
      facts.textContent = `timestep ${level} of ${last} · ${noiseWords(signal[level])}`;
      canvas.setAttribute("aria-label", `The picture at ${facts.textContent}`);
      const chosen = placeOf(clean);
      choices.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
      own.setAttribute("aria-pressed", String(chosen < 0));
      slider.place(level, facts.textContent);
    }
  },
};
