// The studio: the reader's own prompt, seed, steps and guidance above a player that shows the run.

const DICE =
  "M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01";
const ANSWER_MS = 8000;
const SETTLED_MS = 3000;

/** Why a field's text cannot be run, or an empty string. Python asks the same again, and decides. */
function problemOf(name, text, limits) {
  if (name === "prompt" && !text.trim()) return "The prompt is empty. Write what the picture should show.";
  if (name.endsWith("prompt")) {
    const over = [...text].length - limits.prompt;
    return over > 0 ? `${over} characters too many: shorten the text.` : "";
  }
  const [low, high] = limits[name];
  const whole = name !== "guidance_scale";
  const wellFormed = (whole ? /^\s*[+-]?\d+\s*$/ : /^\s*[+-]?(\d+\.?\d*|\.\d+)\s*$/).test(text);
  const number = wellFormed && (whole ? BigInt(text.trim().replace("+", "")) : Number(text));
  const inside = wellFormed && number >= (whole ? BigInt(low) : low) && number <= (whole ? BigInt(high) : high);
  return inside ? "" : `Give a ${whole ? "whole " : ""}number from ${low} to ${high}.`;
}

/** A number box with a slider beside it; the slider covers what is usual, the box all that is allowed. */
function dial(name, title, help, usual) {
  const box = h("input", { class: "ex-input ex-number", type: "text", inputmode: "decimal", autocomplete: "off" });
  const slider = h("input", {
    type: "range",
    class: "ex-slider",
    min: usual[0],
    max: usual[1],
    step: usual[2],
    "aria-label": title,
  });
  slider.addEventListener("input", () => {
    box.value = slider.value;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const follow = () => (slider.value = box.value);
  box.addEventListener("input", follow);
  box.addEventListener("ex-set", follow);
  return field(name, title, help, box, slider);
}

function seedField() {
  const box = h("input", { class: "ex-input ex-number", type: "text", inputmode: "numeric", autocomplete: "off" });
  const dice = h(
    "button",
    {
      class: "ex-button ex-dice",
      type: "button",
      title: "Another seed",
      "aria-label": "Another seed",
      onclick: () => {
        box.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % 100000);
        box.dispatchEvent(new Event("input", { bubbles: true }));
      },
    },
    icon(DICE),
  );
  const made = field("seed", "Seed", "Which noise to start from", box);
  box.after(dice);
  return made;
}

const studio = {
  start(model, signal) {
    player.start(model, signal);
    openAddress(model);
    // The page around it names the run in its address and carries it to the other pages.
    watch(model, "_link", signal, () =>
      document.dispatchEvent(new CustomEvent("explainer:run", { detail: model.get("_link") })),
    );
  },

  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const fields = [
      promptField(view),
      field(
        "negative_prompt",
        "What it should not show",
        "The words that guidance leads away from",
        sentenceBox({ class: "ex-input" }),
      ),
      seedField(),
      dial("steps", "Steps", "How often the model is asked", [1, Math.min(60, model.get("_limits").steps[1]), 1]),
      dial("guidance_scale", "Guidance", "How strongly the words pull", [0, 15, 0.5]),
    ];
    const [prompt, negative, seed, steps, guidance] = fields;
    const chips = h("div", { class: "ex-chips", role: "group", "aria-label": "Examples" });
    const generate = h("button", { class: "ex-button ex-button-main", type: "submit", text: "Generate" });
    const link = linkCopier(view);
    const panel = progressPanel(cancel, generate);
    const offer = h("p", { class: "ex-small ex-studio-offer" });
    const form = h(
      "form",
      { class: "ex-studio", novalidate: true, onsubmit: submit, onkeydown: shortcut },
      h(
        "fieldset",
        { class: "ex-studio-fields", disabled: !live },
        prompt.node,
        chips,
        h("div", { class: "ex-studio-numbers" }, seed.node, steps.node, guidance.node),
        h("details", { class: "ex-more" }, h("summary", { text: "More" }), negative.node),
      ),
      h(
        "div",
        { class: "ex-studio-actions" },
        live ? generate : onlyLive("Drawing another picture"),
        live ? h("span", { class: "ex-small ex-shortcut", text: "Ctrl + Enter" }) : null,
        link.button,
      ),
      offer,
      link.shown,
      panel.node,
    );
    root.append(form);
    const shown = player.mount(view);
    // What is wrong is said where the reader acted, not below the pictures.
    form.append(view.noticeArea);

    let began = 0;
    let answer = 0;
    let asked = false;
    let bringing = new AbortController();
    let preview = null;
    view.redraw(drawPreview);
    const clock = setInterval(showTime, 500);
    view.signal.addEventListener("abort", () => {
      clearInterval(clock);
      clearTimeout(answer);
      bringing.abort();
      preview?.close();
    });

    for (const one of fields) one.control.addEventListener("input", () => edited(one));
    view.watch("_form", fill);
    view.watch("examples", showChips);
    view.watch("_problem", showProblem);
    // A run that is kept already comes without any progress.
    view.watch(["_status", "_run"], showStatus);
    view.watch("_preview", loadPreview);
    view.watch("_offer", showOffer);
    fill();
    showChips();
    showProblem();
    showStatus();
    loadPreview();
    showOffer();

    function fill() {
      const texts = model.get("_form") ?? {};
      for (const one of fields) one.text = texts[one.name] ?? "";
    }

    function edited(one) {
      one.complain(one.text === "" && one.name === "prompt" ? "" : problemOf(one.name, one.text, model.get("_limits")));
      model.set("_form", Object.fromEntries(fields.map(({ name, text }) => [name, text])));
      model.save_changes();
    }

    function showChips() {
      const chip = (text) =>
        h("button", {
          class: "ex-chip",
          type: "button",
          text,
          onclick: () => {
            prompt.text = text;
            edited(prompt);
            prompt.control.focus();
          },
        });
      chips.replaceChildren(...(model.get("examples") ?? []).map(chip));
      chips.hidden = !chips.children.length;
    }

    function showProblem() {
      clearTimeout(answer);
      const { parameter, text } = model.get("_problem") ?? {};
      const one = fields.find(({ name }) => name === parameter);
      if (one && text) pointAt(one, text);
    }

    function pointAt(one, text) {
      one.complain(text);
      if (one === negative) form.querySelector("details").open = true;
      one.control.focus();
      view.say(text);
    }

    function shortcut(event) {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    }

    function submit(event) {
      event.preventDefault();
      event.stopPropagation();
      if (!live) return;
      let wrong = null;
      for (const one of fields) {
        const text = problemOf(one.name, one.text, model.get("_limits"));
        one.complain(text);
        wrong ??= text ? [one, text] : null;
      }
      if (wrong) return pointAt(...wrong);
      view.notify({});
      panel.cancel.setAttribute("aria-disabled", "false");
      asked = true;
      clearTimeout(answer);
      answer = setTimeout(noAnswer, ANSWER_MS);
      // Last, since a page that draws by itself answers before this returns.
      model.send({ type: "generate", query: String(new URLSearchParams(fields.map(({ name, text }) => [name, text]))) });
    }

    /**
     * Whoever asked for a picture in a small window need not look for it. What else follows the run
     * on the page may grow meanwhile and break the scrolling off, so it is looked at again where it
     * ended; whoever scrolls or types is left alone.
     */
    function bring(node) {
      if (!asked) return;
      bringing.abort();
      bringing = new AbortController();
      const { signal } = bringing;
      const scroll = () => node.scrollIntoView({ block: "nearest", behavior: reducedMotion() ? "auto" : "smooth" });
      const stop = () => bringing.abort();
      const options = { capture: true, passive: true, signal };
      for (const touched of ["wheel", "pointerdown", "keydown"]) document.addEventListener(touched, stop, options);
      document.addEventListener("scrollend", scroll, options);
      const settled = setTimeout(stop, SETTLED_MS);
      signal.addEventListener("abort", () => clearTimeout(settled));
      scroll();
    }

    function cancel() {
      model.send({ type: "cancel" });
      panel.cancel.setAttribute("aria-disabled", "true");
    }

    function noAnswer() {
      view.notify({
        kind: "info",
        text: "Python has not answered yet. Is the kernel running, and free? Otherwise run this page's cells again.",
      });
    }

    function showStatus() {
      clearTimeout(answer);
      const status = model.get("_status") ?? {};
      const shown = !panel.node.hidden;
      const busy = panel.show(status);
      if (busy && !shown) {
        panel.cancel.setAttribute("aria-disabled", "false");
        bring(panel.node);
      }
      drawPreview();
      generate.textContent = busy ? "Generate this instead" : "Generate";
      if (status.state === "done" && view.state !== "done" && view.state) view.say("The picture is ready.");
      if (status.state === "done") bring(root.querySelector(".ex-player-pictures"));
      if (!busy) asked = false;
      view.state = status.state;
      if (!busy) return;
      began = performance.now() - 1000 * status.elapsed;
      showTime();
    }

    function showTime() {
      const { state, step, total, elapsed } = model.get("_status") ?? {};
      if (state !== "running") return (panel.time.textContent = "");
      const gone = (performance.now() - began) / 1000;
      const left = step > 1 ? (elapsed / step) * total - gone : 0;
      panel.time.textContent = left > 0 ? `${seconds(gone)} so far, about ${seconds(left)} left` : `${seconds(gone)} so far`;
    }

    async function loadPreview() {
      const bytes = model.get("_preview");
      const blob = new Blob(bytes?.byteLength ? [bytes] : [], { type: "image/webp" });
      const next = blob.size ? await createImageBitmap(blob).catch(() => null) : null;
      // A later picture, or the end of the run, may have come while this one was decoded.
      if (bytes !== model.get("_preview")) return next?.close();
      if (blob.size && !next) return;
      preview?.close();
      preview = next;
      drawPreview(); // at once: the player must not paint what is closed
    }

    /** What a page that has no kernel says about drawing in the browser. */
    function showOffer() {
      offer.textContent = model.get("_offer") ?? "";
      offer.hidden = !offer.textContent;
    }

    /** The player shows the picture to come; before there is any run, the panel does. */
    function drawPreview() {
      const { state, step, total } = model.get("_status") ?? {};
      const coming = preview && state === "running" && step ? { bitmap: preview, step, total } : null;
      const alone = !model.get("_run").count;
      shown.expect(alone ? null : coming, panel.cancel);
      if (coming && !view.expects) bring(root.querySelector(".ex-player-pictures"));
      view.expects = Boolean(coming);
      panel.canvas.hidden = !(alone && coming);
      if (alone && coming) paint(panel.canvas, preview, model.get("pixelated"));
    }
  },
};
