// Save and share: Python makes the file, the browser saves it; the link is made here.

const LINK = "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17";
const SAVE_KINDS = {
  picture: ["Picture", "PNG; prompt and seed are inside"],
  webp: ["Animation", "WebP, step by step"],
  gif: ["Animation as GIF", "for programs that know no WebP"],
  trace: ["The whole run", "opens with Trace.load"],
};
const RUN_NAMES = ["prompt", "negative_prompt", "seed", "steps", "guidance_scale", "scheduler", "weights"];

/** The address of this page with the run on show; a server's token never travels in it. */
function linkTo(query) {
  const url = new URL(location.href);
  for (const name of [...RUN_NAMES, "token"]) url.searchParams.delete(name);
  url.hash = "";
  for (const [name, value] of new URLSearchParams(query)) url.searchParams.set(name, value);
  return url.href;
}

/** A copy button for the link to the run on show, and where it is shown if it cannot be copied. */
function linkCopier(view, words = "Copy link") {
  const { model } = view;
  const button = h("button", { class: "ex-button ex-button-quiet", type: "button", onclick: copy }, icon(LINK), words);
  const shown = h("input", { class: "ex-input", readonly: true, hidden: true, "aria-label": "Link to this run" });
  view.watch("_link", show);
  show();
  return { button, shown };

  function show() {
    button.hidden = !model.get("_link") || location.protocol === "about:";
    shown.hidden = true;
  }

  async function copy() {
    const link = linkTo(model.get("_link"));
    try {
      await navigator.clipboard.writeText(link);
      view.notify({ kind: "info", text: "The link to this run is copied." });
    } catch {
      // Browsers keep the clipboard from pages that came without encryption: let the reader copy.
      shown.value = link;
      shown.hidden = false;
      shown.select();
    }
  }
}

/** Hand a file that Python made to the browser, which saves it; return what to tell the reader. */
function saveFile({ name, mime }, buffers) {
  const url = URL.createObjectURL(new Blob([buffers[0]], { type: mime }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return `Saved as ${name}`;
}

/** What saves the run on show; nothing where no kernel could make the files. */
function saveMenu(view, words = "Save this run") {
  const { model } = view;
  if (typeof model.send !== "function") return null;
  const told = h("p", { class: "ex-small" });
  const buttons = Object.entries(SAVE_KINDS).map(([kind, [text, title]]) =>
    h("button", { class: "ex-button", type: "button", title, text, onclick: () => save(kind, text) }),
  );
  const stop = h("button", { class: "ex-button ex-button-quiet", type: "button", text: "Stop", onclick: giveUp });
  const menu = h(
    "details",
    { class: "ex-save" },
    h("summary", { text: words }),
    h("div", { class: "ex-chips" }, ...buttons),
    told,
  );
  model.on("msg:custom", receive);
  view.signal.addEventListener("abort", () => model.off("msg:custom", receive));
  let waiting = "";
  return menu;

  function save(kind, text) {
    waiting = text;
    tell(`${text}: being made… `, stop);
    model.send({ type: "save", kind });
  }

  function giveUp() {
    waiting = "";
    tell("Stopped.");
    model.send({ type: "stop saving" });
  }

  /** Show and say how it stands; the steps between, which are many, are only shown. */
  function tell(text, ...beside) {
    if (told.contains(document.activeElement)) menu.querySelector("summary").focus(); // Stop goes
    told.replaceChildren(text, ...beside);
    view.say(text);
  }

  /** Only the view in which the reader asked saves the file. */
  function receive(message, buffers) {
    if (!waiting || !["making", "file", "unsaved"].includes(message.type)) return;
    if (message.type === "making") {
      told.firstChild.textContent = `${waiting}: picture ${message.step} of ${message.total}… `;
      return;
    }
    waiting = "";
    tell(message.type === "unsaved" ? message.text : saveFile(message, buffers));
  }
}
