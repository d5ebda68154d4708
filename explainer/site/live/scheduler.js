// DDIM without added noise (Song et al. 2021, eq. 12), as diffusers' DDIMScheduler with eta = 0.

/** Python's rounding: halves go to the even number. */
function round(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

/**
 * The steps of a run. `facts` are the scheduler's config and its `alphas_cumprod`.
 * @returns {{timestep: number, alpha: number, next: number}[]} the timestep that the denoiser is told,
 *   the share of signal ᾱ in the state, and what it is after the step
 */
export function plan(facts, steps) {
  const { alphas_cumprod: alphas, final_alpha_cumprod: last, timestep_spacing: spacing } = facts;
  const trained = alphas.length;
  const ratio = Math.floor(trained / steps);
  const timesteps = Array.from({ length: steps }, (_, i) => {
    if (spacing === "trailing") return round(trained - (i * trained) / steps) - 1;
    if (spacing === "leading") return (steps - 1 - i) * ratio + facts.steps_offset;
    return round((steps - 1 - i) * ((trained - 1) / Math.max(1, steps - 1)));
  });
  return timesteps.map((timestep) => ({
    timestep,
    alpha: alphas[timestep],
    next: timestep - ratio >= 0 ? alphas[timestep - ratio] : last,
  }));
}

/** One step; `prediction` is what the denoiser answered, as `facts.prediction_type` says. */
export function step(facts, { alpha, next }, state, prediction) {
  const signal = Math.sqrt(alpha);
  const noise = Math.sqrt(1 - alpha);
  const x0 = new Float32Array(state.length);
  const after = new Float32Array(state.length);
  const bound = facts.clip_sample ? facts.clip_sample_range : Infinity;
  for (let i = 0; i < state.length; i += 1) {
    const [clean, added] = parts(facts.prediction_type, state[i], prediction[i], signal, noise);
    x0[i] = Math.min(bound, Math.max(-bound, clean));
    after[i] = Math.sqrt(next) * x0[i] + Math.sqrt(1 - next) * added;
  }
  return { x0, after };
}

/** The clean part and the noise of one number, from what was predicted about it. */
function parts(type, state, predicted, signal, noise) {
  if (type === "epsilon") return [(state - noise * predicted) / signal, predicted];
  if (type === "sample") return [predicted, (state - signal * predicted) / noise];
  return [signal * state - noise * predicted, signal * predicted + noise * state];
}
