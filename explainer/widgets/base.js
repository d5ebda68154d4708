// What every widget stands on: theme, frames, keyboard, text alternative, notices.
// base.py puts this text in front of each widget's own script and ends the module with
// `export default asWidget(<the widget's object>)`, so nothing is imported at run time.

const SVG = "http://www.w3.org/2000/svg";

/** Build an element. `text` becomes textContent, `on…` a listener, anything else an attribute. */
function h(tag, props = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A line icon from path data on a 24 × 24 grid. */
function icon(path, filled = false) {
  return h(
    "svg:svg",
    { viewBox: "0 0 24 24", class: filled ? "ex-icon ex-icon-filled" : "ex-icon", "aria-hidden": "true" },
    h("svg:path", { d: path }),
  );
}

/** A box for a sentence: it grows with it, and Enter sends its form, as in a field of one line. */
function sentenceBox({ value = "", class: name = "ex-text-field", ...props }) {
  const box = h("textarea", { rows: 1, autocomplete: "off", ...props, class: `ex-sentence ${name}` });
  box.value = value;
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    box.form?.querySelector('[type="submit"]')?.click();
  });
  box.addEventListener("input", () => {
    if (box.value.includes("\n")) box.value = box.value.replace(/\s*\n\s*/g, " "); // pasted
  });
  return box;
}

/** An id that no other widget on the page has: each model loads a module, and a counter, of its own. */
function freshId() {
  return `ex-${Math.random().toString(36).slice(2)}`;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** A share as percent, whole. */
function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** Hide a node or show it; where the focus would go with it, the heir has it from then on. */
function hide(node, hidden, heir) {
  if (hidden && node.contains(document.activeElement)) heir.focus();
  node.hidden = hidden;
}

/** Put other children in a node; where a control among them had the focus, the one in its place gets it. */
function renew(node, ...children) {
  const controls = () => [...node.querySelectorAll("button, input, [tabindex]")];
  const at = controls().indexOf(document.activeElement);
  node.replaceChildren(...children);
  controls()[at]?.focus({ preventScroll: true });
}

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/**
 * Let a picture be read: `over` hears of the pointer, `step(right, down)` of an arrow key, after which
 * `reading` is read out; `leave` that neither is there any more.
 */
function readable(view, picture, reading, { over, step, leave }) {
  picture.setAttribute("tabindex", 0);
  // Of an image a screen reader keeps the arrow keys to itself.
  picture.setAttribute("role", "application");
  picture.setAttribute("aria-roledescription", "picture to read");
  picture.addEventListener("pointerdown", (event) => {
    picture.focus({ preventScroll: true }); // before it is read: another picture loses its reading with the focus
    over(event);
  });
  picture.addEventListener("pointermove", over);
  // A finger leaves at once; what it has read stays until the next tap.
  picture.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && leave());
  picture.addEventListener("blur", leave);
  picture.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    step(...move);
    view.say(reading);
  });
}

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** What stands on a page without a kernel in the place of a control that Python answers. */
function onlyLive(words) {
  const here = document.getElementById("live-pages");
  const link = here ? h("a", { href: "#live-pages", text: "a live page" }) : "a live page";
  return h("p", { class: "ex-small ex-only-live" }, `${words} needs `, link, "; this one is a recording.");
}

/** What stands in the place of what waits for the reader's guess. */
function ghost() {
  return h("p", { class: "ex-ghost", text: "Guess above to see this" });
}

/** Listen to one or more traits of a model until the signal aborts. */
function watch(model, names, signal, listener) {
  for (const name of [names].flat()) {
    model.on(`change:${name}`, listener);
    signal.addEventListener("abort", () => model.off(`change:${name}`, listener));
  }
}

/** The page's theme: JupyterLab's or Voilà's, else what the page says, else what the system prefers. */
function pageTheme() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab) return lab === "true" ? "light" : "dark";
  const page = document.documentElement.dataset.theme;
  if (page === "light" || page === "dark") return page;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function followTheme(root, signal) {
  const apply = () => (root.dataset.theme = pageTheme());
  const observer = new MutationObserver(apply);
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  signal.addEventListener("abort", () => observer.disconnect());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply, { signal });
  apply();
}

/**
 * The frames of a model: one run of bytes and, for each named sequence, count + 1 offsets into it.
 * Pictures are decoded once and kept, up to a number of pixels that a phone can hold.
 */
class Frames {
  static MAX_PIXELS = 64e6;

  constructor(model, signal, ready) {
    this.model = model;
    this.ready = ready;
    this.kept = new Map();
    watch(model, "_frames", signal, () => this.load());
    signal.addEventListener("abort", () => this.clear());
    this.load();
  }

  load() {
    this.clear();
    this.index = this.model.get("_frame_index") ?? {};
    const view = this.model.get("_frames");
    this.bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
    this.decodeAhead(this.bytes);
  }

  /** Decode one after another until all are there or memory is full; `get` does not wait for it. */
  async decodeAhead(bytes) {
    for (const name of Object.keys(this.index)) {
      for (let i = 0; i < this.count(name); i += 1) {
        if (this.bytes !== bytes || this.full) return;
        const key = `${name}/${i}`;
        if (!this.kept.has(key)) await this.decode(key, this.index[name][i], this.index[name][i + 1]);
      }
    }
  }

  clear() {
    for (const kept of this.kept.values()) kept.bitmap?.close();
    this.kept.clear();
    this.bytes = null;
    this.full = false;
  }

  count(name) {
    return Math.max(0, (this.index[name]?.length ?? 0) - 1);
  }

  /** The decoded picture, or null while it is on its way (then `ready` is called). */
  get(name, i) {
    if (i < 0 || i >= this.count(name)) return null;
    const key = `${name}/${i}`;
    const kept = this.kept.get(key);
    if (kept) {
      this.kept.delete(key);
      this.kept.set(key, kept);
      return kept.bitmap;
    }
    this.decode(key, this.index[name][i], this.index[name][i + 1]);
    return null;
  }

  async decode(key, start, end) {
    const entry = { bitmap: null };
    this.kept.set(key, entry);
    const blob = new Blob([this.bytes.subarray(start, end)], { type: "image/webp" });
    const bitmap = await createImageBitmap(blob).catch(() => null);
    if (this.kept.get(key) !== entry) return bitmap?.close();
    entry.bitmap = bitmap;
    this.forget();
    this.ready();
  }

  forget() {
    let pixels = 0;
    for (const [key, { bitmap }] of [...this.kept].reverse()) {
      pixels += bitmap ? bitmap.width * bitmap.height : 0;
      if (pixels <= Frames.MAX_PIXELS) continue;
      this.full = true;
      bitmap?.close();
      this.kept.delete(key);
    }
  }
}

/** Paint a bitmap over the whole canvas at the screen's own resolution. */
function paint(canvas, bitmap, pixelated) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round((width * bitmap.height) / bitmap.width));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = !pixelated;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
}

/** What must wait says so instead of being disabled, which would take the focus away. */
function refuse(event) {
  if (!event.target.closest('[aria-disabled="true"]')) return;
  event.preventDefault();
  event.stopPropagation();
}

const KEEP_KEYS = "data-lm-suppress-shortcuts";

/** One picture of a widget on screen: its root element and everything that must end with it. */
class View {
  constructor(model, host) {
    this.model = model;
    this.controller = new AbortController();
    this.signal = this.controller.signal;
    this.spoken = h("div", { class: "ex-spoken", role: "status", "aria-live": "polite" });
    this.noticeArea = h("div", { class: "ex-notice", role: "alert", hidden: true });
    // JupyterLab binds the arrow keys and space to its cells, some of them to whatever has the focus.
    // An attribute keeps them here; it must be on the focused node itself, not only around it.
    this.root = h("section", { class: "ex", [KEEP_KEYS]: "true" });
    this.root.addEventListener("focusin", ({ target }) => target.setAttribute(KEEP_KEYS, "true"));
    this.root.addEventListener("click", refuse, { capture: true, signal: this.signal });
    host.append(this.root);
    followTheme(this.root, this.signal);
    this.watch("_notice", () => this.showNotice());
    const stay = () => (this.root.hidden = model.get("ready") === false);
    this.watch("ready", stay);
    stay();
  }

  finish() {
    if (!this.noticeArea.parentNode) this.root.append(this.noticeArea);
    this.root.append(this.spoken);
    this.showNotice();
  }

  close() {
    this.controller.abort();
    clearTimeout(this.saying);
    this.root.remove();
  }

  watch(names, listener) {
    watch(this.model, names, this.signal, listener);
  }

  /** A redraw that runs once in a screen refresh, however often it is asked for. */
  redraw(draw) {
    let asked = 0;
    const ask = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    };
    this.signal.addEventListener("abort", () => cancelAnimationFrame(asked));
    const observer = new ResizeObserver(ask);
    observer.observe(this.root);
    this.signal.addEventListener("abort", () => observer.disconnect());
    return ask;
  }

  /** Tell a screen reader, once things have come to rest; of a node, what it says by then. */
  say(what) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.spoken.textContent = what.textContent ?? what), 400);
  }

  /** Lead a reader to the answer that took the place of what they pressed. */
  reveal(node, words = node) {
    node.tabIndex = -1;
    node.focus();
    this.say(words);
  }

  showNotice() {
    this.notify(this.model.get("_notice") ?? {});
  }

  notify({ kind = "", text = "" }) {
    this.noticeArea.hidden = !text;
    this.noticeArea.dataset.kind = kind;
    this.noticeArea.textContent = text;
  }
}

/**
 * An anywidget module from a widget's object: `mount(view)` draws one view of it; `start(model,
 * signal)`, where there is one, runs once for a model however many views it has.
 */
function asWidget(widget) {
  return {
    initialize({ model }) {
      const controller = new AbortController();
      widget.start?.(model, controller.signal);
      return () => controller.abort();
    },
    render({ model, el }) {
      const view = new View(model, el);
      try {
        widget.mount(view);
      } catch (error) {
        view.close(); // what it began would fail again at every change
        throw error;
      }
      view.finish();
      return () => view.close();
    },
  };
}
