// A page without a kernel: gives each widget's module the little that it asks of Jupyter's model.
// State: [{esm, css, state, buffers: {trait: base64}, at: "#selector"}] and links between them.

class PageModel {
  constructor(state, buffers) {
    this.state = { ...state };
    this.listeners = new Map();
    for (const [name, text] of Object.entries(buffers)) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      this.state[name] = new DataView(bytes.buffer);
    }
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    for (const listener of [...(this.listeners.get(`change:${name}`) ?? [])]) listener();
  }

  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(listener);
  }

  off(name, listener) {
    this.listeners.get(name)?.delete(listener);
  }

  save_changes() {}
}

function link(models, [from, fromTrait], [to, toTrait]) {
  const copy = (a, b, x, y) => a.on(`change:${x}`, () => b.set(y, a.get(x)));
  copy(models[from], models[to], fromTrait, toTrait);
  copy(models[to], models[from], toTrait, fromTrait);
  models[to].set(toTrait, models[from].get(fromTrait));
}

async function showWidget({ esm, css, at }, model) {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  URL.revokeObjectURL(url);
  await widget.initialize?.({ model });
  await widget.render({ model, el: document.querySelector(at) });
}

async function showPage({ widgets, links = [] }) {
  const models = widgets.map(({ state, buffers }) => new PageModel(state, buffers));
  for (const [from, to] of links) link(models, from, to);
  await Promise.all(widgets.map((widget, i) => showWidget(widget, models[i])));
  return models;
}
