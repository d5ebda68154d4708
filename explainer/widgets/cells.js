// Numbers as coloured cells: one diverging scale, blue below zero and orange above, that readers
// with any kind of colour vision can tell apart (after ColorBrewer's PuOr and RdBu, Brewer 2003).

const SCALE = ["#053061", "#2166ac", "#6ba3d0", "#c6dcec", "#f7f4ee", "#fbd7a5", "#ee9b45", "#b8590b", "#6f3000"];

/** 256 colours (r, g, b) from far below zero to far above it. */
const COLOURS = (() => {
  const stops = SCALE.map((code) => [1, 3, 5].map((i) => parseInt(code.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((from, c) => Math.round(from + (stops[low + 1][c] - from) * (at - low)));
  });
})();

/** A canvas of columns × rows pixels; `levelAt(i)` gives 0 to 255, or null for no cell. */
function cellPicture(columns, rows, levelAt) {
  const canvas = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < columns * rows; i += 1) {
    const level = levelAt(i);
    if (level !== null) pixels.data.set([...COLOURS[level], 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

function legend(limit) {
  const bar = h("span", { class: "ex-legend-bar" });
  bar.style.background = `linear-gradient(90deg, ${SCALE.join(", ")})`;
  return h(
    "span",
    { class: "ex-legend ex-small ex-number", "aria-hidden": "true" },
    signed(-limit),
    bar,
    signed(limit),
  );
}

function bytesOf(view) {
  return new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
}

/** Which cell of a columns × rows canvas the pointer is over. */
function cellUnder(event, canvas, columns, rows) {
  const box = canvas.getBoundingClientRect();
  const x = clamp(Math.floor(((event.clientX - box.left) / box.width) * columns), 0, columns - 1);
  const y = clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), 0, rows - 1);
  return { x, y, i: y * columns + x };
}

/**
 * Let pointer and arrow keys choose a cell of a canvas, to be read out. `size()` gives its columns and
 * rows, `at()` the cell chosen now or null; `choose` takes the next {x, y, i}, or null once it is left.
 */
function readCells(view, canvas, reading, { size, at, choose }) {
  readable(view, canvas, reading, {
    over: (event) => choose(cellUnder(event, canvas, ...size())),
    leave: () => choose(null),
    step: (right, down) => choose(cellBeside(at() ?? { x: -right, y: -down }, right, down, ...size())),
  });
}

function cellBeside({ x, y }, right, down, columns, rows) {
  const [column, row] = [clamp(x + right, 0, columns - 1), clamp(y + down, 0, rows - 1)];
  return { x: column, y: row, i: row * columns + column };
}

/** Let a canvas be drawn on, by one pointer at a time: `begin` and `over` take its events, `end` nothing. */
function strokes(canvas, { begin, over, end }) {
  let pen = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pen !== null) return;
    pen = event.pointerId;
    canvas.setPointerCapture(pen);
    begin(event);
  });
  canvas.addEventListener("pointermove", (event) => event.pointerId === pen && event.buttons & 1 && over(event));
  const lift = ({ pointerId }) => {
    if (pointerId !== pen) return;
    pen = null;
    end();
  };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(name, lift);
}

/** Let arrow keys carry a cursor over the cells of a canvas: `moved` hears where to, `press` of Enter and space. */
function cellCursor(view, canvas, { size, at, moved, press }) {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (move) {
      const cell = cellBeside(at(), ...move, ...size());
      view.say(`Row ${cell.y + 1}, column ${cell.x + 1}`);
      moved(cell);
    } else if (event.key === "Enter" || event.key === " ") press(at());
    else return;
    event.preventDefault();
  });
}

/** Frame one cell so that it stands out on any colour. */
function frameCell(canvas, i, columns, rows) {
  const context = canvas.getContext("2d");
  const [width, height] = [canvas.width / columns, canvas.height / rows];
  const box = [(i % columns) * width, Math.floor(i / columns) * height, width, height];
  for (const [colour, thick] of [["#ffffff", 5], ["#000000", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(...box);
  }
}

/** IEEE 754 half precision to a number. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
