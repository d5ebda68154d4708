// A page without a kernel: gives each widget's module the little that it asks of Jupyter's model.
// The page's data: {modules: [{esm, css}], buffers: [base64], widgets: [{module, state, buffers:
// {trait: number of a buffer}, at: ["#selector"]}], links: [[widget, trait], [widget, trait], both
// ways?]}. Modules and buffers that several widgets share are there once. In place of a large buffer
// may stand {at: "address"} of a script beside the page that calls `explainerData(base64)`: it is
// fetched when the reader comes near.

class PageModel {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.tell(`change:${name}`);
  }

  /** Take several values at once: whoever hears of one finds all of them in place. */
  update(values) {
    const changed = Object.keys(values).filter((name) => this.state[name] !== values[name]);
    Object.assign(this.state, values);
    for (const name of changed) this.tell(`change:${name}`);
  }

  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(listener);
  }

  off(name, listener) {
    this.listeners.get(name)?.delete(listener);
  }

  tell(name, ...what) {
    for (const listener of [...(this.listeners.get(name) ?? [])]) {
      try {
        listener(...what);
      } catch (error) {
        reportError(error); // the other listeners are other widgets' too
      }
    }
  }

  save_changes() {}
}

const NEAR = "1200px";

/** The name of its widget's class, for functions that see the models before. */
function classOf(model) {
  return String(model.get("_anywidget_id")).split(".").at(-1);
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return new DataView(Uint8Array.fromBase64(base64).buffer);
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = letters.charCodeAt(i);
  return new DataView(bytes.buffer);
}

/** Hold two traits equal: the second follows the first and, if both ways, the first the second. */
function linkTraits(models, [from, fromTrait], [to, toTrait], both = true) {
  const copy = (a, b, x, y) => a.on(`change:${x}`, () => b.set(y, a.get(x)));
  copy(models[from], models[to], fromTrait, toTrait);
  if (both) copy(models[to], models[from], toTrait, fromTrait);
  models[to].set(toTrait, models[from].get(fromTrait));
}

async function loadModule({ esm, css }) {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  URL.revokeObjectURL(url);
  return widget;
}

/** Give every widget its model, and draw it where it belongs; functions in `prepare` see them before. */
async function showPage({ modules, buffers, widgets, links = [] }, prepare = []) {
  const decoded = buffers.map((buffer) => (typeof buffer === "string" ? bytesOf(buffer) : null));
  const models = widgets.map(({ state, buffers: own }) => {
    const traits = Object.entries(own).map(([trait, number]) => [trait, decoded[number]]);
    return new PageModel({ ...state, ...Object.fromEntries(traits) });
  });
  for (const link of links) linkTraits(models, ...link);
  for (const see of prepare) await see(models);
  const loaded = modules.map(loadModule);
  for (const module of loaded) module.catch(() => {}); // told where its widget should stand
  for (const [i, { module, at, buffers: own }] of widgets.entries()) {
    const places = at.map((place) => document.querySelector(place));
    for (const place of places) place.dataset.kind = classOf(models[i]); // what will stand there is known before it does
    const missing = Object.entries(own).filter(([, number]) => !decoded[number]);
    const draw = async () => {
      try {
        const widget = await loaded[module];
        await widget.initialize?.({ model: models[i] });
        for (const el of places) await widget.render({ model: models[i], el });
      } catch (error) {
        reportError(error);
        tellInstead(places, `This part could not be shown: ${error.message}`);
      }
    };
    if (missing.length) drawLater(places, missing.map(([trait, number]) => [trait, buffers[number].at]), models[i], draw);
    else await draw();
    await new Promise((go) => setTimeout(go)); // what stands already is painted and answers meanwhile
  }
  return models;
}

/** What stands in the place of a widget that failed; the others live on. */
function tellInstead(places, text) {
  for (const place of places) {
    place.replaceChildren(Object.assign(document.createElement("p"), { role: "alert", textContent: text }));
  }
}

/** Draw a widget when the reader comes near it, once the data that lie beside the page are here. */
function drawLater(places, missing, model, draw) {
  const room = (height) => places.forEach((place) => (place.style.minHeight = height));
  room("30rem");
  const observer = new IntersectionObserver(
    async (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      try {
        for (const [trait, address] of missing) {
          const data = await fetchedData(address);
          if (!model.get(trait)) model.set(trait, data); // else the reader's own came in the meantime
        }
        await draw();
      } catch (error) {
        tellInstead(places, error.message);
      }
      room("");
    },
    { rootMargin: NEAR },
  );
  for (const place of places) observer.observe(place);
}

const fetchedBefore = new Map();

/** Data from a script, which a browser fetches from a disk too. */
function fetchedData(address) {
  const fetching = () =>
    new Promise((here, failed) => {
      const script = Object.assign(document.createElement("script"), { src: address });
      // Scripts may arrive in any order: each is told apart while it runs.
      window.explainerData = (base64) => (document.currentScript.found = bytesOf(base64));
      script.onload = () => (script.found ? here(script.found) : script.onerror());
      script.onerror = () => failed(new Error(`This part could not be fetched: ${address} is missing. Is the site complete?`));
      document.head.append(script);
    });
  if (!fetchedBefore.has(address)) fetchedBefore.set(address, fetching());
  return fetchedBefore.get(address);
}
