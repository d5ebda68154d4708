// Pictures above, phrases beside them: how the encoders share a picture out among the phrases.

const pictureNames = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const box = h("textarea", { class: "ex-input ex-names-box", rows: 7, spellcheck: "false", disabled: !live });
    const own = field("names", "Names to choose from", "One a line", box);
    const ask = h("button", { class: "ex-button ex-button-main", type: "button", text: "Let it name them", onclick: reveal });
    const upload = uploadButton(() => model.get("_size"), take, (text) => view.notify({ kind: "error", text }));
    const stage = h("div", { class: "ex-names-scroll", tabindex: 0, role: "region", "aria-label": "Pictures and phrases" });
    root.append(stage, h("div", { class: "ex-names-actions" }, ask, live ? upload : onlyLive("A picture or a name of your own")), view.noticeArea, h("details", { class: "ex-names-more" }, h("summary", { text: "Change the names" }), own.node));
    let revealed = false;
    let typing = 0;
    let canvases = [];
    const frames = new Frames(model, view.signal, paintAll);
    const again = view.redraw(paintAll);
    box.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        model.set("text", box.value);
        model.save_changes();
      }, 250);
    });
    view.signal.addEventListener("abort", () => clearTimeout(typing));
    view.watch("text", fill);
    view.watch(["_phrases", "_titles", "_cosines", "_shares"], show);
    fill();
    show();

    function fill() {
      own.text = model.get("text");
    }

    function reveal() {
      revealed = true;
      hide(ask, true, stage);
      show();
    }

    function take(pixels) {
      view.notify({});
      model.set("own", pixels);
      model.save_changes();
      reveal();
    }

    function show() {
      const [titles, names] = [model.get("_titles"), model.get("_phrases")];
      const [cosines, shares] = [model.get("_cosines"), model.get("_shares")];
      if (cosines.length !== titles.length) return;
      canvases = titles.map((title) => h("canvas", { role: "img", "aria-label": title }));
      const head = titles.map((title, i) => h("th", { scope: "col" }, canvases[i], h("span", { class: "ex-small", text: title })));
      const rows = names.map((name, k) => h("tr", {}, h("th", { scope: "row", text: name }), ...titles.map((_, i) => cell(i, k))));
      stage.replaceChildren(
        h("table", { class: "ex-names", style: `min-width: ${7 + 5.6 * titles.length}rem` }, h("thead", {}, h("tr", {}, h("td"), ...head)), h("tbody", {}, ...rows), h("tfoot", {}, verdicts())),
      );
      if (revealed) view.say(titles.map((title, i) => `${title}: ${answer(cosines[i])}`).join("; "));
      again();

      function cell(i, k) {
        if (!revealed) return h("td", { text: "?" });
        const td = h("td", { class: "ex-number", title: `cosine ${cosines[i][k].toFixed(3)}` }, h("span", { text: `${Math.round(100 * shares[i][k])} %` }));
        td.style.setProperty("--share", shares[i][k]);
        return td;
      }

      function isKnown(row) {
        return Math.max(...row) >= model.get("_threshold");
      }

      function answer(row) {
        return isKnown(row) ? names[row.indexOf(Math.max(...row))] : "nothing I know";
      }

      function verdicts() {
        const verdict = (row) => h("td", { "data-known": String(isKnown(row)), text: revealed ? answer(row) : "" });
        return h("tr", {}, h("th", { scope: "row", text: "Its answer" }), ...cosines.map(verdict));
      }
    }

    function paintAll() {
      canvases.forEach((canvas, i) => {
        const bitmap = frames.get("pictures", i);
        if (bitmap && canvas.isConnected) paint(canvas, bitmap, false);
      });
    }
  },
};
