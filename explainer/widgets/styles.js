// The styles: one sentence in every style; the slider moves all pictures, a click measures them against one.

const MOST_ADDED_UP = 160; // pixels of width

const styles = {
  mount(view) {
    const { model, root } = view;
    const said = h("p", { class: "ex-style-said ex-number" });
    const grid = h("ul", { class: "ex-styles" });
    const slider = twoLineSlider(model, { label: "Steps done", from: "first step", to: "finished" });
    const hint = h("p", { class: "ex-small" });
    const empty = h("p", { class: "ex-small", text: "Nothing is drawn yet." });
    const [mean, spread] = ["all styles, averaged", ""].map(pictureFigure);
    const sums = h("div", { class: "ex-style-pictures ex-styles-sums" }, mean.node, spread.node);
    const waits = ghost();
    root.append(empty, grid, said, h("div", { class: "ex-styles-below" }, sums, h("div", {}, slider.node, waits, hint)));
    const sentence = sentenceBox({ maxlength: model.get("_form").longest });
    const seed = h("input", { type: "text", inputmode: "numeric", class: "ex-text-field ex-number" });
    if (canAsk(view)) {
      const send = (event) => {
        event.preventDefault();
        model.send({ type: "start", sentence: sentence.value, seed: seed.value.trim() });
      };
      root.append(
        h(
          "form",
          { class: "ex-style-form", onsubmit: send },
          labelled("Your own sentence, without style words", sentence),
          labelled("Seed", seed, true),
          seriesButtons(view, "Draw it in every style"),
        ),
      );
    } else root.append(onlyLive("Drawing a sentence of your own"));
    let cells = [];
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    view.watch(["position", "_frames"], ask);
    view.watch(["_facts", "chosen", "shown"], load);
    view.watch("_waiting", showWaiting);
    view.watch("_form", fill);
    fill();
    load();

    function fill() {
      sentence.value = model.get("_form").sentence;
      seed.value = model.get("_form").seed;
    }

    function load() {
      const { titles = [] } = model.get("_facts");
      if (cells.length !== titles.length || cells.some(({ title }, i) => title !== titles[i])) cells = titles.map(cell);
      renew(grid, ...cells.map(({ node }) => node));
      showWaiting();
      measure();
      ask();
    }

    /** Told at every step of a run, in which the reader may be sliding: nothing else is touched. */
    function showWaiting() {
      const waiting = model.get("_waiting");
      empty.hidden = cells.length + waiting.length > 0;
      for (const node of grid.querySelectorAll(".ex-series-waiting")) node.remove();
      grid.append(...seriesWaiting(waiting));
    }

    function cell(title, i) {
      const canvas = h("canvas", { role: "img" });
      const bar = h("span", { class: "ex-styles-bar", "aria-hidden": "true" }, h("span"));
      const told = h("span", { class: "ex-small ex-number" });
      const button = h(
        "button",
        { class: "ex-styles-choose", type: "button", onclick: () => choose(i) },
        canvas,
        h("span", { text: title }),
        bar,
        told,
      );
      return { title, canvas, bar, told, button, node: h("li", {}, button) };
    }

    function choose(i) {
      model.set("chosen", i);
      model.save_changes();
    }

    /** The slider lies on the mean distance of the other styles from the chosen picture. */
    function measure() {
      const { titles = [], apart, another, moments } = model.get("_facts");
      const [chosen, shown] = [model.get("chosen"), model.get("shown")];
      waits.hidden = shown || !titles.length;
      hint.hidden = !shown || titles.length < 2;
      slider.node.hidden = !titles.length;
      if (!titles.length) return;
      const yardstick = titles.indexOf(another);
      const others = titles.map((_, i) => i).filter((i) => i !== chosen && i !== yardstick);
      const mean = moments.map((_, k) => (others.length ? others.reduce((sum, i) => sum + apart[chosen][i][k], 0) / others.length : null));
      const far = moments.map((_, k) => (yardstick >= 0 && yardstick !== chosen ? apart[chosen][yardstick][k] : null));
      const hidden = moments.map(() => null);
      const ceiling = 1.08 * Math.max(...mean, ...far, 1e-9);
      slider.draw(shown ? mean : hidden, shown ? far : hidden, { ceiling });
      hint.replaceChildren(
        twoLineKey("other style words, on average", yardstick >= 0 && yardstick !== chosen ? "another seed" : "", "Upwards and “away”: how far the predicted latents are from those of the chosen picture (RMS). Layout: how far light and dark are in the same places, 1 for the same. Click on a picture to choose it."),
      );
    }

    function draw() {
      const { titles = [], apart, alike, moments, steps, seed: number, sentence: text } = model.get("_facts");
      if (!titles.length) return (said.textContent = "");
      const k = clamp(model.get("position"), 0, moments.length - 1);
      const chosen = clamp(model.get("chosen"), 0, titles.length - 1);
      const last = k === moments.length - 1;
      const where = last ? "finished" : `after step ${moments[k]} of ${steps}`;
      const most = Math.max(...apart[chosen].map((row) => row[k]), 1e-9);
      const shown = model.get("shown");
      cells.forEach(({ title, canvas, bar, told, button }, i) => {
        const bitmap = frames.get(String(i), k);
        if (bitmap) paint(canvas, bitmap, false);
        canvas.setAttribute("aria-label", `${text}, ${title}, ${where}`);
        button.setAttribute("aria-pressed", String(i === chosen));
        const distance = apart[chosen][i][k];
        bar.hidden = !shown;
        bar.firstChild.style.width = `${(100 * distance) / most}%`;
        const layout = last && alike[chosen][i] !== null ? [h("br"), `layout ${alike[chosen][i].toFixed(2)}`] : [];
        if (!shown) told.replaceChildren();
        else if (i === chosen) told.replaceChildren("measured from here");
        else told.replaceChildren(`${distance.toFixed(2)} away`, ...layout);
      });
      sums.hidden = !shown || !addUp(titles, k);
      said.textContent = `${where[0].toUpperCase()}${where.slice(1)}, seed ${number}`;
      slider.place(k, where);
    }

    /** The mean of the pictures from one noise, and where they differ; false while one is missing. */
    function addUp(titles, k) {
      const { another } = model.get("_facts");
      const places = titles.map((_, i) => i).filter((i) => titles[i] !== another);
      const bitmaps = places.map((i) => frames.get(String(i), k));
      if (places.length < 2 || bitmaps.includes(null)) return false;
      // Large pictures are added up in small, so that the slider stays smooth.
      const scale = Math.min(1, MOST_ADDED_UP / bitmaps[0].width);
      const [width, height] = [bitmaps[0].width, bitmaps[0].height].map((side) => Math.max(1, Math.round(scale * side)));
      const { means, spreads } = overPictures(bitmaps.map((bitmap) => pixelsOf(bitmap, width, height)));
      const most = Math.max(...spreads, 1e-9);
      sums.hidden = false; // a hidden canvas has no width to paint on
      paint(mean.canvas, pixelPicture(width, height, (i) => [means[3 * i], means[3 * i + 1], means[3 * i + 2]]), false);
      paint(spread.canvas, pixelPicture(width, height, (i) => Array(3).fill((255 * spreads[i]) / most)), false);
      spread.caption.textContent = `where they differ; white: ${most.toFixed(0)} of 255`;
      spread.canvas.setAttribute("aria-label", `Where the styles differ, white: a standard deviation of ${most.toFixed(0)} of 255`);
      return true;
    }
  },
};

function pixelsOf(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Mean of each colour of each pixel, and the root mean square over the colours of their deviations. */
function overPictures(pictures) {
  const count = pictures[0].length / 4;
  const means = new Float32Array(3 * count);
  const spreads = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    let squares = 0;
    for (let c = 0; c < 3; c += 1) {
      let sum = 0;
      let square = 0;
      for (const picture of pictures) {
        const value = picture[4 * i + c];
        sum += value;
        square += value * value;
      }
      means[3 * i + c] = sum / pictures.length;
      squares += square / pictures.length - means[3 * i + c] ** 2;
    }
    spreads[i] = Math.sqrt(Math.max(0, squares / 3));
  }
  return { means, spreads };
}

function pixelPicture(width, height, colourAt) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) pixels.data.set([...colourAt(i), 255], 4 * i);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
