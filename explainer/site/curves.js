// The curves of a run that was drawn in the browser, as `likeness` and `route` of stages/noise.py
// compute them. A plot is known by its curves.

const BANDS = { "coarse shapes": [0, 0.25], middling: [0.25, 0.5], "fine details": [0.5, Infinity] };
const ROUTE = ["noisy state", "predicted now (x0)"];
const NO_ROUTE = "A way through the space of latents needs a run of at least two steps.";

/** What a Plot shows of a run: null if its curves are none of a run's. */
function curvesOf(run, model) {
  const names = Object.keys(model.get("_curves")).join();
  if (names === Object.keys(BANDS).join()) return likenessOf(run);
  if (names === ROUTE.join()) return run.timesteps.length > 1 ? routeOf(run, model.get("_words")) : NO_ROUTE;
  return null;
}

/** The correlation of each x0 with the finished latents, band by band of spatial frequency. */
function likenessOf(run) {
  const [channels, height, width] = run.shape;
  const finished = spectrum(partOf(run, run.latents, run.timesteps.length), run.shape);
  const spectra = run.timesteps.map((_, k) => spectrum(partOf(run, run.x0, k), run.shape));
  const folded = (k, count) => Math.min(k, count - k) / count;
  const inside = (low, high) => (i) => {
    const radius = 2 * Math.hypot(folded(Math.floor(i / width) % height, height), folded(i % width, width));
    return radius > low && radius <= high;
  };
  const places = [...Array(channels * height * width).keys()];
  const curves = Object.entries(BANDS).map(([name, bounds]) => {
    const band = places.filter(inside(...bounds));
    const shared = (a, b) => band.reduce((sum, i) => sum + a.re[i] * b.re[i] + a.im[i] * b.im[i], 0);
    const own = shared(finished, finished);
    return [name, spectra.map((one, k) => [k + 1, shared(one, finished) / Math.sqrt(shared(one, one) * own)])];
  });
  const sound = curves.every(([, points]) => points.every(([, value]) => Number.isFinite(value)));
  return sound ? { _curves: Object.fromEntries(curves) } : null;
}

/** The discrete Fourier transform of each channel, along its rows and then along its columns. */
function spectrum(values, [channels, height, width]) {
  const re = Float64Array.from(values);
  const im = new Float64Array(re.length);
  const [across, down] = [circle(width), circle(height)];
  for (let c = 0; c < channels; c += 1) {
    const from = c * height * width;
    for (let y = 0; y < height; y += 1) transform(re, im, from + y * width, 1, across);
    for (let x = 0; x < width; x += 1) transform(re, im, from + x, width, down);
  }
  return { re, im };
}

/** Cosine and sine of each of so many parts of a turn, clockwise. */
function circle(count) {
  const angles = Float64Array.from({ length: count }, (_, k) => (-2 * Math.PI * k) / count);
  return { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
}

/** One line of numbers, in place. Latents are small: nothing faster is needed. */
function transform(re, im, from, stride, { cos, sin }) {
  const count = cos.length;
  const along = (values) => Float64Array.from(cos, (_, k) => values[from + k * stride]);
  const [reals, imaginaries] = [along(re), along(im)];
  for (let k = 0; k < count; k += 1) {
    let [real, imaginary] = [0, 0];
    for (let j = 0; j < count; j += 1) {
      const turn = (j * k) % count;
      real += reals[j] * cos[turn] - imaginaries[j] * sin[turn];
      imaginary += reals[j] * sin[turn] + imaginaries[j] * cos[turn];
    }
    re[from + k * stride] = real;
    im[from + k * stride] = imaginary;
  }
}

/** The run on the first two principal components of its own states. */
function routeOf(run, words) {
  const steps = run.timesteps.map((_, k) => k);
  const states = [...steps, steps.length].map((k) => Float64Array.from(partOf(run, run.latents, k)));
  const middle = states[0].map((_, i) => states.reduce((sum, state) => sum + state[i], 0) / states.length);
  const from = (values) => Float64Array.from(values, (value, i) => value - middle[i]);
  const centred = states.map(from);
  // As many numbers as there are states tell it all: their products among each other.
  const { values, vectors } = eigen(centred.map((a) => centred.map((b) => dot(a, b))));
  const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
  const sum = values.reduce((all, value) => all + value, 0) || 1;
  const axes = order.slice(0, 2).map((column) => {
    const size = Math.sqrt(Math.max(values[column], 1e-300));
    return middle.map((_, i) => centred.reduce((all, state, k) => all + state[i] * vectors[k][column], 0) / size);
  });
  const seen = (one) => axes.map((axis) => dot(one, axis));
  const expected = steps.map((k) => seen(from(partOf(run, run.x0, k))));
  const share = (text, i) => text.replace(/\d+%/, `${Math.round((100 * values[order[i]]) / sum)}%`);
  return {
    _curves: { [ROUTE[0]]: centred.map(seen), [ROUTE[1]]: expected },
    _words: { ...words, x: share(words.x, 0), y: share(words.y, 1) },
  };
}

function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** Eigenvalues of a symmetric matrix and their vectors, as columns: Jacobi's rotations. */
function eigen(matrix) {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, j) => Number(i === j)));
  const size = Math.sqrt(a.flat().reduce((sum, value) => sum + value ** 2, 0));
  for (let sweep = 0; sweep < 30; sweep += 1) {
    let turned = false;
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        if (Math.abs(a[p][q]) <= 1e-14 * size) continue;
        turned = true;
        const tilt = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (tilt < 0 ? -1 : 1) / (Math.abs(tilt) + Math.hypot(tilt, 1));
        const cos = 1 / Math.hypot(t, 1);
        rotate(a, vectors, p, q, cos, t * cos);
      }
    }
    if (!turned) break;
  }
  return { values: a.map((row, i) => row[i]), vectors };
}

function rotate(a, vectors, p, q, cos, sin) {
  for (const row of [...a, ...vectors]) [row[p], row[q]] = [cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]];
  for (let k = 0; k < a.length; k += 1) [a[p][k], a[q][k]] = [cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]];
}
