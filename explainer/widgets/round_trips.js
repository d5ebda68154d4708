// Round trips: one picture at a time, before and after under a wipe, and where the two differ.

const roundTrips = {
  mount(view) {
    const { model, root } = view;
    const choices = h("div", { class: "ex-trips-choices", role: "group", "aria-label": "Picture" });
    const upload = uploadButton(() => model.get("_facts").size, take, (text) => view.notify({ kind: "error", text }));
    const canvas = h("canvas", { role: "img" });
    const line = h("span", { class: "ex-trips-line", "aria-hidden": "true" });
    const range = h("input", { class: "ex-unseen", type: "range", min: 0, max: 100, value: 50, "aria-label": "Wipe between before and after", oninput: () => ask() });
    const error = h("canvas", { role: "img" });
    const errorText = h("figcaption", { class: "ex-small ex-number" });
    const measured = h("p", { class: "ex-trips-measured ex-number" });
    const table = h("div", { class: "ex-trips-table" });
    const live = canAsk(view);
    root.append(
      choices,
      h(
        "div",
        { class: "ex-trips" },
        h(
          "figure",
          {},
          h("div", { class: "ex-trips-wipe" }, canvas, line, range),
          h("figcaption", { class: "ex-trips-ends ex-small" }, h("span", { text: "before" }), h("span", { text: "after" })),
        ),
        h("figure", {}, error, errorText),
      ),
      measured,
      table,
    );
    if (live) {
      root.append(askRow(view, { words: "Send it through", unit: "picture", send: () => ({ title: model.get("chosen") }), done: "The picture came back." }));
    } else root.append(onlyLive("A picture of your own"));
    const ask = view.redraw(draw);
    const frames = new Frames(model, view.signal, ask);
    let buttons = [];
    view.watch("_facts", load);
    view.watch("chosen", showChosen);
    view.watch("shown", load);
    load();

    function take(picture) {
      view.notify({});
      model.set("_pixels", picture);
      model.save_changes();
    }

    function load() {
      const { rows } = model.get("_facts");
      buttons = rows.map(({ title }) => h("button", { class: "ex-button", type: "button", text: title, onclick: () => choose(title) }));
      renew(choices, ...buttons, ...(live ? [upload] : []));
      const told = rows.filter(({ done }) => done && model.get("shown"));
      table.replaceChildren(...told.map(({ title, ...row }) => h("p", { class: "ex-small ex-number", text: `${title}: ${inMeasures(row)}` })));
      showChosen();
    }

    function showChosen() {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === model.get("chosen")));
      ask();
    }

    function choose(title) {
      model.set("chosen", title);
      model.save_changes();
    }

    function draw() {
      const { rows } = model.get("_facts");
      const i = Math.max(0, rows.findIndex(({ title }) => title === model.get("chosen")));
      const row = rows[i];
      const [before, after, map] = ["before", "after", "error"].map((name) => frames.get(`${name}-${i}`, 0));
      if (!before) return;
      const share = row.done ? Number(range.value) / 100 : 1;
      range.disabled = !row.done;
      line.hidden = error.hidden = errorText.hidden = !row.done;
      paint(canvas, before, false);
      if (after) wipe(canvas, after, share);
      line.style.left = `${100 * share}%`;
      if (map) paint(error, map, true);
      const told = model.get("shown") ? inMeasures : () => "the measures wait for your guess";
      const words = row.done ? told(row) : "not sent through yet";
      canvas.setAttribute("aria-label", `${row.title}: the left ${Math.round(100 * share)} % before, the rest after`);
      range.setAttribute("aria-valuetext", `${Math.round(100 * share)} % before`);
      error.setAttribute("aria-label", `Where ${row.title} was changed`);
      errorText.textContent = row.done ? `What was lost: black is nothing, white ${row.most.toFixed(0)} of 255 grey levels` : "";
      measured.textContent = `${row.title}: ${words}`;
    }
  },
};

/** Lay a picture over the part of a canvas right of the share. */
function wipe(canvas, after, share) {
  const context = canvas.getContext("2d");
  const from = Math.round(share * canvas.width);
  context.save();
  context.beginPath();
  context.rect(from, 0, canvas.width - from, canvas.height);
  context.clip();
  context.drawImage(after, 0, 0, canvas.width, canvas.height);
  context.restore();
}

function inMeasures({ psnr, ssim }) {
  return `PSNR ${psnr === null ? "infinite" : `${psnr.toFixed(1)} dB`}, SSIM ${ssim.toFixed(3)}`;
}
