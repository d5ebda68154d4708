// The widgets that show a run which was drawn in the browser, as if their `show` had been called with
// its Trace; and those that cannot, which say so.

const STILL_RECORDED = "This still shows the recorded run: for your own it needs a live page.";

/** What each widget shows of the reader's run, by its class: traits, words that say why not, or null. */
const FOLLOWERS = {
  TokenRow: (run) => ({ _tokens: run.tokens, _truncated: run.truncated }),
  LatentGrid: gridOf,
  Fingerprint: fingerprintOf,
  Anatomy: anatomyOf,
  Channels: channelsOf,
  Brush: brushOf,
  Plot: curvesOf,
};

/** Those that need what only Python has, such as attention maps or an index; and what they say. */
const BEHIND = {
  Plot: STILL_RECORDED,
  WordMaps: STILL_RECORDED,
  ViewMenu: STILL_RECORDED,
  Nearest: STILL_RECORDED,
  Again: STILL_RECORDED,
  StyleMeasures: "Your own picture has no line here: to be measured it needs a live page.",
};

/** Those that stand above the studio and are the reader's all the same. Others there show the example. */
const ABOVE = new Set(["Channels", "Brush", "Nearest", "Again", "StyleMeasures"]);

/** Let a widget above or below the studio show the run, or say why it does not. */
function follow(model, run, below) {
  const name = classOf(model);
  if ((!below && !ABOVE.has(name)) || !(name in FOLLOWERS || name in BEHIND)) return;
  const given = FOLLOWERS[name]?.(run, model) ?? BEHIND[name] ?? STILL_RECORDED;
  const text = typeof given === "string" ? given : "";
  model.update({ _notice: text ? { kind: "info", text } : {}, ...(text ? {} : { ready: true, ...given }) });
}

/** Encoded pictures as base.py's `pack_frames` sends them. */
function framesOf(sequences) {
  const index = {};
  let start = 0;
  for (const [name, pictures] of Object.entries(sequences)) {
    index[name] = [start, ...pictures.map(({ byteLength }) => (start += byteLength))];
  }
  return { _frames: new DataView(joinedBytes(Object.values(sequences).flat()).buffer), _frame_index: index };
}

function sizeOf(run) {
  return run.shape.reduce((product, side) => product * side, 1);
}

/** One array of as many as there are, such as the latents before one step. */
function partOf(run, values, k) {
  const size = sizeOf(run);
  return values.subarray(k * size, (k + 1) * size);
}

function rms(values) {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

function spreadOf(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Levels of 8 bits, as `pixels.levels`: 0 is -limit and less, 255 limit and more. */
function levelsOf(values, limit) {
  // An array of this kind rounds and keeps within 0 to 255 by itself.
  return new Uint8Array(Uint8ClampedArray.from(values, (value) => 127.5 + (127.5 / limit) * value).buffer);
}

/** See latent_grid.py. */
function gridOf(run, model) {
  const [channels, height, width] = run.shape;
  const count = run.latents.length / sizeOf(run);
  const states = Array.from({ length: count }, (_, k) => partOf(run, run.latents, k));
  const spreads = states.map(spreadOf);
  const levels = states.map((state, k) => levelsOf(state, model.get("_limit") * Math.max(spreads[k], 1e-12)));
  return {
    _shape: { states: count, channels, height, width, total: count - 1 },
    _spreads: spreads.map((spread) => Math.round(1e5 * spread) / 1e5),
    _levels: new DataView(joinedBytes(levels).buffer),
    step: count - 1,
  };
}

/** The vector of the reader's sentence before the one that it was shown beside. */
function fingerprintOf({ pooled }, model) {
  const view = model.get("_values");
  const shown = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  const values = new Float32Array(2 * pooled.length);
  values.set(pooled);
  values.set(shown.subarray(shown.length - pooled.length), pooled.length);
  const sorted = values.map(Math.abs).sort();
  return {
    _labels: ["your sentence", model.get("_labels").at(-1)],
    _values: new DataView(values.buffer),
    _limit: sorted[Math.round(0.99 * (sorted.length - 1))] || 1,
  };
}

/** The run's last latents in place of the first picture's; see channels.py. Not where sizes differ. */
function channelsOf(run, model) {
  const facts = model.get("_facts");
  const [frames, shown] = [model.get("_frames"), model.get("_levels")];
  // Data that lie beside the page may not have come yet, and without them the other picture is missing.
  if (!frames || !shown || facts.shape.join() !== run.shape.join()) return null;
  const [, from, to] = model.get("_frame_index").pictures;
  const other = new Uint8Array(frames.buffer, frames.byteOffset + from, to - from);
  const last = partOf(run, run.latents, run.timesteps.length);
  // The scale stays: the other picture's latents are here in no finer form.
  const levels = [levelsOf(last, facts.limit), new Uint8Array(shown.buffer, shown.byteOffset + last.length, last.length)];
  const gains = Array(run.shape[0]).fill(1);
  const swapped = gains.map(() => false);
  return {
    ...framesOf({ pictures: [run.picture, other], result: [run.picture] }),
    _levels: new DataView(joinedBytes(levels).buffer),
    _facts: { ...facts, prompts: [run.prompt, facts.prompts[1]], shown: { gains, swapped } },
    gains,
    swapped,
  };
}

/** The run's last latents with nothing painted on them; see brush.py. */
function brushOf(run) {
  const last = partOf(run, run.latents, run.timesteps.length);
  const limit = Math.max(3 * spreadOf(last), 1e-6);
  return {
    ...framesOf({ before: [run.picture], after: [run.picture], reach: [] }),
    _levels: new DataView(levelsOf(last, limit).buffer),
    _facts: { shape: run.shape, limit, strokes: 0, reach: {} },
  };
}

/** Each step taken apart; see `Anatomy` in panels.py. */
function anatomyOf(run, model) {
  const count = run.timesteps.length;
  const size = sizeOf(run);
  const states = run.latents.subarray(0, count * size);
  const less = (all, others) => all.map((value, i) => value - others[i]);
  const kind = run.scheduler.prediction_type === "epsilon" ? "noise" : "prediction";
  const guided = run.noise_cond.length > 0;
  const how = guided ? `without, plus ${run.guidance_scale} × the difference` : kind;
  const panels = [
    [states, "Noisy state", "what goes in", "state"],
    ...(guided ? twoPredictions(run, kind, less(run.noise_cond, run.noise_uncond)) : []),
    [run.noise, guided ? "Guided" : "Predicted", how, "prediction"],
    ...removedAndPutIn(run, states, run.latents.subarray(size), less),
    [run.x0, "Clean latents predicted now", "x0", "state"],
  ];
  const limits = {};
  for (const [values, , , scale] of panels) limits[scale] = Math.max(limits[scale] ?? 1e-6, 3 * rms(values));
  const steps = run.timesteps.map((_, k) => k);
  const apart = (values, others) => rms(less(values, others));
  const changes = steps.map((k) => (k ? apart(partOf(run, run.x0, k), partOf(run, run.x0, k - 1)) : null));
  const distances = steps.map((k) => apart(partOf(run, run.x0, k), partOf(run, run.latents, count)));
  return {
    ...framesOf({ "pictures-0": run.frames.noisy.slice(0, count), "pictures-1": run.frames.x0 }),
    _values: new DataView(halves(panels.map(([values]) => values)).buffer),
    _layout: {
      ...model.get("_layout"),
      shape: [count, ...run.shape],
      panels: panels.map(([values, name, meaning, scale]) => ({
        name, meaning, limit: limits[scale], rms: steps.map((k) => rms(partOf(run, values, k))),
      })),
      pictures: ["Noisy state", "The picture predicted now"],
      curve: changes,
      positions: steps.map((k) => [`Step ${k + 1} of ${count}`, stepInWords(run, k, changes[k], distances[k])]),
    },
    position: Math.min(model.get("position"), count - 1),
  };
}

/** What the steps take away and, with DDPM, the new noise that they put in; see stages/noise.py. */
function removedAndPutIn(run, before, after, less) {
  const removed = (values) => [values, "Removed", "what this step takes away", "step"];
  if (run.scheduler.name !== "DDPMScheduler") return [removed(less(before, after))];
  const size = sizeOf(run);
  const led = before.map((value, i) => {
    const k = Math.floor(i / size);
    const signal = run.signal[k];
    const next = run.signal[k + 1] ?? 1;
    const kept = signal / next;
    return (Math.sqrt(next) * (1 - kept) * run.x0[i] + Math.sqrt(kept) * (1 - next) * value) / (1 - signal);
  });
  return [removed(less(before, led)), [less(after, led), "Put in", "new noise", "step"]];
}

function twoPredictions(run, kind, difference) {
  const without = run.negative_prompt ? "with the negative prompt" : "without the text";
  return [
    [run.noise_uncond, `Predicted ${without}`, kind, "prediction"],
    [run.noise_cond, "Predicted with the text", kind, "prediction"],
    [difference, "Their difference", "what the text says", "difference"],
  ];
}

function stepInWords({ timesteps, signal }, k, change, distance) {
  const facts = [`timestep ${Math.round(timesteps[k])}`, `${(100 * (1 - signal[k])).toFixed(1)} % noise`];
  if (change !== null) facts.push(`prediction changed by ${change.toFixed(3)}`);
  return [...facts, `${distance.toFixed(3)} from the end`].join(" · ");
}

/** Numbers in half precision (IEEE 754), little-endian, to the nearest: what `fromHalf` reads. */
function halves(arrays) {
  const all = new Uint16Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) for (const value of array) all[at++] = halfOf(value);
  return all;
}

function halfOf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (!(size < 65520)) return sign | (Number.isNaN(value) ? 0x7e00 : 0x7c00);
  // One unit of the last of ten bits; below the smallest exponent the units no longer shrink.
  const exponent = size ? Math.max(Math.floor(Math.log2(size)), -14) : -14;
  // What rounds up to the next power of two carries into the exponent by itself.
  return sign | (((exponent + 14) << 10) + Math.round(size * 2 ** (10 - exponent)));
}
