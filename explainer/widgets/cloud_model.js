// A whole diffusion model for points of a plane: schedule, denoiser, training, sampling.
// The denoiser is a small multilayer perceptron that predicts the noise (Ho et al. 2020), trained
// with Adam (Kingma & Ba 2015); sampling is DDIM without randomness (Song et al. 2021).

const LEVELS = 100;
const HIDDEN = 48;
const BATCH = 96;
const WAVES = [1, 2, 4];
const TIME_WAVES = [0.5, 1, 2, 4];
const FEATURES = 2 + 4 * WAVES.length + 1 + 2 * TIME_WAVES.length;

/** Share of signal at level 0 (all) to LEVELS (almost none), the cosine schedule of Nichol & Dhariwal 2021. */
function cloudSignal(level) {
  const part = (t) => Math.cos(((t / LEVELS + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  return Math.max(1e-4, part(level) / part(0));
}

/** One layer, y = W x + b, for a batch of rows; gradients are kept beside the weights. */
class Dense {
  constructor(inputs, outputs, dice) {
    this.inputs = inputs;
    this.outputs = outputs;
    const bound = Math.sqrt(6 / inputs) * 0.7;
    this.weights = Float64Array.from({ length: inputs * outputs }, () => bound * (2 * dice.uniform() - 1));
    this.biases = new Float64Array(outputs);
    this.weightSlopes = new Float64Array(inputs * outputs);
    this.biasSlopes = new Float64Array(outputs);
  }

  forward(x, rows) {
    const { inputs, outputs, weights, biases } = this;
    this.seen = x;
    const y = new Float64Array(rows * outputs);
    for (let r = 0; r < rows; r += 1) {
      for (let o = 0; o < outputs; o += 1) {
        let sum = biases[o];
        const w = o * inputs;
        const from = r * inputs;
        for (let i = 0; i < inputs; i += 1) sum += weights[w + i] * x[from + i];
        y[r * outputs + o] = sum;
      }
    }
    return y;
  }

  backward(slopes, rows) {
    const { inputs, outputs, weights, weightSlopes, biasSlopes, seen } = this;
    const back = new Float64Array(rows * inputs);
    weightSlopes.fill(0);
    biasSlopes.fill(0);
    for (let r = 0; r < rows; r += 1) {
      const from = r * inputs;
      for (let o = 0; o < outputs; o += 1) {
        const slope = slopes[r * outputs + o];
        const w = o * inputs;
        biasSlopes[o] += slope;
        for (let i = 0; i < inputs; i += 1) {
          weightSlopes[w + i] += slope * seen[from + i];
          back[from + i] += slope * weights[w + i];
        }
      }
    }
    return back;
  }
}

/** x · sigmoid(x), between two layers. */
class Silu {
  forward(x) {
    this.seen = x;
    return x.map((value) => value / (1 + Math.exp(-value)));
  }

  backward(slopes) {
    return slopes.map((slope, i) => {
      const s = 1 / (1 + Math.exp(-this.seen[i]));
      return slope * s * (1 + this.seen[i] * (1 - s));
    });
  }
}

class PointDenoiser {
  constructor(seed) {
    this.dice = diceOf(seed);
    const dense = (inputs, outputs) => new Dense(inputs, outputs, this.dice);
    this.layers = [
      dense(FEATURES, HIDDEN),
      new Silu(),
      dense(HIDDEN, HIDDEN),
      new Silu(),
      dense(HIDDEN, HIDDEN),
      new Silu(),
      dense(HIDDEN, 2),
    ];
    this.moments = this.parameters().map(([values]) => [new Float64Array(values.length), new Float64Array(values.length)]);
    this.steps = 0;
  }

  /** Pairs of values and their gradients. */
  parameters() {
    return this.layers
      .filter((layer) => layer instanceof Dense)
      .flatMap((layer) => [
        [layer.weights, layer.weightSlopes],
        [layer.biases, layer.biasSlopes],
      ]);
  }

  /** Predict the noise in points (x, y, x, y, …), each at its own level. */
  predict(points, levels) {
    const rows = levels.length;
    let values = new Float64Array(rows * FEATURES);
    for (let r = 0, to = 0; r < rows; r += 1) {
      const [x, y, time] = [points[2 * r], points[2 * r + 1], levels[r] / LEVELS];
      values[to++] = x;
      values[to++] = y;
      for (const wave of WAVES) {
        values[to++] = Math.sin(wave * x);
        values[to++] = Math.cos(wave * x);
        values[to++] = Math.sin(wave * y);
        values[to++] = Math.cos(wave * y);
      }
      values[to++] = 2 * time - 1;
      for (const wave of TIME_WAVES) {
        values[to++] = Math.sin(2 * Math.PI * wave * time);
        values[to++] = Math.cos(2 * Math.PI * wave * time);
      }
    }
    for (const layer of this.layers) values = layer.forward(values, rows);
    return values;
  }

  /** Mean squared error of the predicted noise, and its gradients at the weights. */
  loss(points, levels, noise) {
    const found = this.predict(points, levels);
    let total = 0;
    let slopes = new Float64Array(found.length);
    for (let i = 0; i < found.length; i += 1) {
      const miss = found[i] - noise[i];
      total += miss * miss;
      slopes[i] = (2 * miss) / found.length;
    }
    for (const layer of [...this.layers].reverse()) slopes = layer.backward(slopes, levels.length);
    return total / found.length;
  }

  /** One step of training on points of unit spread; returns the loss. */
  train(data, rate) {
    const { dice } = this;
    const count = data.length / 2;
    const points = new Float64Array(2 * BATCH);
    const noise = Float64Array.from({ length: 2 * BATCH }, () => dice.normal());
    const levels = Float64Array.from({ length: BATCH }, () => 1 + Math.floor(dice.uniform() * LEVELS));
    for (let r = 0; r < BATCH; r += 1) {
      const pick = Math.floor(dice.uniform() * count);
      const signal = cloudSignal(levels[r]);
      for (const axis of [0, 1]) {
        points[2 * r + axis] =
          Math.sqrt(signal) * data[2 * pick + axis] + Math.sqrt(1 - signal) * noise[2 * r + axis];
      }
    }
    const loss = this.loss(points, levels, noise);
    this.adam(rate);
    return loss;
  }

  adam(rate) {
    this.steps += 1;
    const [first, second] = [1 - 0.9 ** this.steps, 1 - 0.999 ** this.steps];
    this.parameters().forEach(([values, slopes], p) => {
      const [mean, square] = this.moments[p];
      for (let i = 0; i < values.length; i += 1) {
        mean[i] = 0.9 * mean[i] + 0.1 * slopes[i];
        square[i] = 0.999 * square[i] + 0.001 * slopes[i] * slopes[i];
        values[i] -= (rate * (mean[i] / first)) / (Math.sqrt(square[i] / second) + 1e-8);
      }
    });
  }

  /** Walk points from noise to data; returns the states of every step, the noise first. */
  sample(start, steps) {
    const states = [start];
    for (let k = 0; k < steps; k += 1) {
      const level = Math.round(LEVELS * (1 - k / steps));
      const next = Math.round(LEVELS * (1 - (k + 1) / steps));
      const [from, to] = [cloudSignal(level), next === 0 ? 1 : cloudSignal(next)];
      const now = states.at(-1);
      const noise = this.predict(now, new Float64Array(now.length / 2).fill(level));
      states.push(
        now.map((value, i) => {
          const clean = (value - Math.sqrt(1 - from) * noise[i]) / Math.sqrt(from);
          return Math.sqrt(to) * clamp(clean, -4, 4) + Math.sqrt(1 - to) * noise[i];
        }),
      );
    }
    return states;
  }
}

/** Points [[x, y], …] moved to mean 0 and spread 1, with the way back; null if all are on one spot. */
function standardisedCloud(points) {
  const mean = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const square = points.reduce((sum, [x, y]) => sum + (x - mean[0]) ** 2 + (y - mean[1]) ** 2, 0);
  const spread = Math.sqrt(square / (2 * points.length));
  if (!(spread > 1e-3)) return null;
  const data = Float64Array.from(points.flatMap(([x, y]) => [(x - mean[0]) / spread, (y - mean[1]) / spread]));
  return { data, back: (value, axis) => value * spread + mean[axis] };
}

const CLOUD_SHAPES = {
  spiral: (u) => {
    const turn = 0.6 + 3.2 * Math.PI * Math.sqrt(u);
    return [(turn / 11) * Math.cos(turn), (turn / 11) * Math.sin(turn)];
  },
  ring: (u) => [0.75 * Math.cos(2 * Math.PI * u), 0.75 * Math.sin(2 * Math.PI * u)],
  "two moons": (u) => {
    const angle = 2 * Math.PI * u;
    return u < 0.5
      ? [0.55 * Math.cos(angle) - 0.25, 0.55 * Math.sin(angle) - 0.15]
      : [0.55 * Math.cos(angle) + 0.25, 0.55 * Math.sin(angle) + 0.15];
  },
  heart: (u) => {
    const a = 2 * Math.PI * u;
    const y = 13 * Math.cos(a) - 5 * Math.cos(2 * a) - 2 * Math.cos(3 * a) - Math.cos(4 * a);
    return [0.8 * Math.sin(a) ** 3, y / 20 + 0.1];
  },
};

/** Points of a shape with a little jitter, from −1 to 1, y upwards. */
function cloudShape(name, count = 600) {
  const dice = diceOf(11);
  return Array.from({ length: count }, () => CLOUD_SHAPES[name](dice.uniform()).map((value) => value + 0.02 * dice.normal()));
}
