// DDPM (Ho et al. 2020, eq. 7) and DDIM without added noise (Song et al. 2021, eq. 12), as diffusers'
// DDPMScheduler with variance_type "fixed_small" and DDIMScheduler with eta = 0.

/** Python's rounding: halves go to the even number. */
function round(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

/** Whether its steps add new noise. */
const throwsDice = ({ name }) => name === "DDPMScheduler";

/**
 * The steps of a run. `facts` are the scheduler's name, its config and its `alphas_cumprod`.
 * @returns {{timestep: number, alpha: number, next: number, fresh: number}[]} the timestep that the denoiser
 *   is told, the share of signal ᾱ in the state, what it is after the step, and the standard deviation of
 *   the noise that the step adds
 */
export function plan(facts, steps) {
  const { alphas_cumprod: alphas, final_alpha_cumprod: last, timestep_spacing: spacing } = facts;
  const trained = alphas.length;
  const ratio = Math.floor(trained / steps);
  // numpy's arange reckons its interval so: halves then round as they do in diffusers.
  const interval = trained - trained / steps - trained;
  const timesteps = Array.from({ length: steps }, (_, i) => {
    if (spacing === "trailing") return round(trained + i * interval) - 1;
    if (spacing === "leading") return (steps - 1 - i) * ratio + facts.steps_offset;
    return round((steps - 1 - i) * ((trained - 1) / Math.max(1, steps - 1)));
  });
  return timesteps.map((timestep, i) => {
    const alpha = alphas[timestep];
    const after = throwsDice(facts) ? (timesteps[i + 1] ?? -1) : timestep - ratio;
    const next = after >= 0 ? alphas[after] : last;
    const variance = throwsDice(facts) ? ((1 - next) / (1 - alpha)) * (1 - alpha / next) : 0;
    return { timestep, alpha, next, fresh: Math.sqrt(variance) };
  });
}

/**
 * One step; `prediction` is what the denoiser answered, as `facts.prediction_type` says, and `dice(count)`
 * returns standard normal numbers.
 */
export function step(facts, { alpha, next, fresh }, state, prediction, dice) {
  const signal = Math.sqrt(alpha);
  const noise = Math.sqrt(1 - alpha);
  const kept = Math.sqrt(1 - next - fresh ** 2);
  const drawn = throwsDice(facts) ? dice(state.length) : null;
  const x0 = new Float32Array(state.length);
  const after = new Float32Array(state.length);
  const bound = facts.clip_sample ? facts.clip_sample_range : Infinity;
  for (let i = 0; i < state.length; i += 1) {
    const [clean, guessed] = parts(facts.prediction_type, state[i], prediction[i], signal, noise);
    x0[i] = Math.min(bound, Math.max(-bound, clean));
    // DDPM holds a clipped picture against the state anew; DDIM keeps the noise as it was guessed.
    const added = drawn ? (state[i] - signal * x0[i]) / noise : guessed;
    after[i] = Math.sqrt(next) * x0[i] + kept * added + (drawn ? fresh * drawn[i] : 0);
  }
  return { x0, after };
}

/** The clean part and the noise of one number, from what was predicted about it. */
function parts(type, state, predicted, signal, noise) {
  if (type === "epsilon") return [(state - noise * predicted) / signal, predicted];
  if (type === "sample") return [predicted, (state - signal * predicted) / noise];
  return [signal * state - noise * predicted, signal * predicted + noise * state];
}
