// What readers' own words and runs are asked with: fields, the prompt box, the progress panel.

/**
 * A matcher from a list of known words: `match(text)` gives each word of the text as
 * {start, end, word, known}. Case and punctuation do not matter; a word with hyphens is known if it
 * is in the list or if all its parts are. Without a list nothing is called unknown.
 */
function wordMatcher(knownWords) {
  const known = new Set(knownWords.map((word) => word.toLowerCase()));
  const has = (word) => known.has(word) || known.has(word.replace(/['’]s$/u, ""));
  const pattern = /[\p{L}\p{N}\p{M}]+(?:['’-][\p{L}\p{N}\p{M}]+)*|\p{Extended_Pictographic}+/gu;
  return (text) =>
    [...text.matchAll(pattern)].map((found) => {
      const word = found[0].toLowerCase();
      return {
        start: found.index,
        end: found.index + found[0].length,
        word,
        known: known.size === 0 || has(word) || (word.includes("-") && word.split("-").every(has)),
      };
    });
}

/** Open the run that the page's address names, where the widget is to and there is a kernel. */
function openAddress(model) {
  if (!model.send || !model.get("opens_address") || !new URLSearchParams(location.search).has("prompt")) return;
  model.set("query", location.search);
  model.save_changes();
}

function seconds(time) {
  if (time < 90) return `${Math.max(1, Math.round(time))} s`;
  return `${Math.round(time / 60)} min`;
}

/** A label, its control and the place for what is wrong with it. */
function field(name, title, help, control, ...beside) {
  const id = freshId();
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-help ${id}-problem`);
  const problem = h("p", { class: "ex-field-problem", id: `${id}-problem`, hidden: true });
  const node = h(
    "div",
    { class: `ex-field ex-field-${name}` },
    h("label", { class: "ex-field-title", for: id, text: title }),
    h("div", { class: "ex-field-row" }, ...beside, control),
    h("p", { class: "ex-small", id: `${id}-help`, text: help }),
    problem,
  );
  return {
    name,
    node,
    control,
    get text() {
      return control.value;
    },
    set text(value) {
      if (control.value !== value) control.value = value;
      control.dispatchEvent(new Event("ex-set"));
    },
    complain(message) {
      problem.textContent = message;
      problem.hidden = !message;
      control.setAttribute("aria-invalid", String(Boolean(message)));
    },
  };
}

/** The prompt box: a layer behind the text underlines the words that training never showed. */
function promptField(view, title = "Describe a picture", live = true) {
  const mirror = h("div", { class: "ex-prompt-mirror", "aria-hidden": "true" });
  const box = h("textarea", { class: "ex-prompt-box", rows: 1, spellcheck: "false", disabled: !live });
  const note = h("p", { class: "ex-unknown-note ex-small", hidden: true });
  const made = field("prompt", title, "", h("div", { class: "ex-prompt" }, mirror, box));
  const wrapper = made.control;
  box.id = wrapper.id;
  box.setAttribute("aria-describedby", wrapper.getAttribute("aria-describedby"));
  wrapper.removeAttribute("id");
  wrapper.removeAttribute("aria-describedby");
  made.node.querySelector(".ex-small").replaceWith(note);
  note.id = `${box.id}-help`;
  const matcher = () => wordMatcher(view.model.get("known_words") ?? []);
  let match = matcher();
  let said = "";
  let noted = "";
  const asked = new Set();

  function mark() {
    const text = box.value;
    const caret = document.activeElement === box ? box.selectionEnd : -1;
    // A word is judged once the reader has left it, so that nothing flickers while it is typed.
    const strange = match(text).filter(({ known, end }) => !known && end !== caret);
    let from = 0;
    mirror.replaceChildren();
    for (const { start, end } of strange) {
      mirror.append(text.slice(from, start), h("mark", { class: "ex-unknown", text: text.slice(start, end) }));
      from = end;
    }
    mirror.append(`${text.slice(from)}\u200b`);
    const list = [...new Set(strange.map(({ word }) => word))];
    lookUp(list);
    showNote(list);
    if (list.length && list.join() !== said) view.say(`Not met in training: ${list.join(", ")}`);
    said = list.join();
  }

  /** Made anew only for other words: a suggestion that is being pressed, or has the focus, must stay. */
  function showNote(list) {
    const key = JSON.stringify(list.map((word) => [word, nearTo(word)]));
    if (key === noted) return;
    noted = key;
    note.hidden = !list.length;
    note.replaceChildren("Not met in training: ", ...list.flatMap((word, i) => [i ? ", " : "", ...told(word)]));
  }

  function nearTo(word) {
    return view.model.get("_nearest")?.[word];
  }

  /** Python, while it is there, knows what is nearest to a word. */
  function lookUp(list) {
    if (typeof view.model.send !== "function") return;
    const fresh = list.filter((word) => !asked.has(word));
    fresh.forEach((word) => asked.add(word));
    if (fresh.length) view.model.send({ type: "nearest", words: fresh });
  }

  function told(word) {
    const near = nearTo(word);
    const strong = h("strong", { text: word });
    if (!near) return [strong];
    return [strong, " (try ", h("button", { class: "ex-button ex-button-quiet ex-try", type: "button", text: near, "aria-label": `Put “${near}” for “${word}”`, onclick: () => put(word, near) }), ")"];
  }

  function put(word, near) {
    const { start, end } = match(box.value).find((one) => one.word === word);
    box.setRangeText(near, start, end, "end");
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
    mark();
  }

  for (const event of ["input", "keyup", "click", "ex-set"]) box.addEventListener(event, mark);
  // Who goes from the box to a suggestion leaves a word too, but the list waits until the focus is gone.
  for (const node of [box, note]) {
    node.addEventListener("focusout", ({ relatedTarget }) => note.contains(relatedTarget) || mark());
  }
  view.watch("_nearest", mark);
  view.watch("known_words", () => {
    match = matcher();
    mark();
  });
  made.control = box;
  return {
    ...made,
    get text() {
      return box.value;
    },
    set text(value) {
      if (box.value !== value) box.value = value;
      mark();
    },
    complain(message) {
      made.complain(message);
      wrapper.removeAttribute("aria-invalid");
      box.setAttribute("aria-invalid", String(Boolean(message)));
    },
    /** Whether nothing stands in the box; then that is said, and the reader led there. */
    isEmpty() {
      const empty = !box.value.trim();
      this.complain(empty ? "This sentence is empty. Write what the picture should show." : "");
      if (empty) box.focus();
      return empty;
    },
  };
}

/** How far a run is, and Cancel; once it has ended, the heir has the focus that Cancel had. */
function progressPanel(onCancel, heir) {
  const canvas = h("canvas", { class: "ex-live-picture", role: "img", "aria-label": "The picture so far" });
  const words = h("p", { class: "ex-title ex-number" });
  const time = h("p", { class: "ex-small ex-number" });
  const bar = h("progress", { class: "ex-bar", "aria-label": "Progress" });
  const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: onCancel });
  const node = h(
    "div",
    { class: "ex-live", hidden: true },
    canvas,
    h("div", { class: "ex-live-words" }, words, bar, time),
    cancel,
  );
  return { node, canvas, words, time, bar, cancel, show };

  /** How far it is; hidden where nothing is under way. Returns whether something is. */
  function show(status) {
    const busy = status.state === "queued" || status.state === "running";
    hide(node, !busy, heir);
    if (!busy) return false;
    words.textContent = waitingWords(status);
    bar.max = status.total || 1;
    if (status.step) bar.value = status.step;
    else bar.removeAttribute("value");
    return true;
  }
}

function waitingWords({ state, place, step, total, words }) {
  if (words) return words;
  if (state === "queued") {
    if (!place) return "Next in line…";
    return `Waiting: ${place} ${place === 1 ? "run" : "runs"} before yours`;
  }
  return step ? `Drawing: step ${step} of ${total}` : "Waking the model…";
}
