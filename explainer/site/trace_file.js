// A run as the file that `explainer.Trace.load` opens: safetensors, see trace.py.

const TRACE_VERSION = "1.2";

function traceFile(run) {
  const { shape, timesteps, signal, tokens, frames } = run;
  const n = timesteps.length;
  const [length, width] = [tokens.length, run.states.data.length / tokens.length];
  const floats = (values, dims) => ["F32", dims, Float32Array.from(values)];
  const bytes = (pieces) => {
    const all = joinedBytes(pieces);
    return ["U8", [all.length], all];
  };
  const guided = run.noise_cond.length > 0;
  const tensors = {
    hidden_states: floats(run.states.data, [1, length, width]),
    pooled_embedding: floats(run.pooled, [run.pooled.length]),
    timesteps: floats(timesteps, [n]),
    sigmas: floats(signal.map((share) => Math.sqrt(1 / share - 1)), [n]),
    signal: floats(signal, [n]),
    latents: floats(run.latents, [n + 1, ...shape]),
    noise: floats(run.noise, [n, ...shape]),
    x0: floats(run.x0, [n, ...shape]),
    ...(guided ? { noise_cond: floats(run.noise_cond, [n, ...shape]), noise_uncond: floats(run.noise_uncond, [n, ...shape]) } : {}),
    picture: bytes([run.picture]),
    "frames.noisy": bytes(frames.noisy),
    "frames.x0": bytes(frames.x0),
  };
  return safetensors(tensors, { format: "explainer-trace", version: TRACE_VERSION, trace: traceFields(run) });
}

/** The fields that are no arrays. The seed is put in as text: JavaScript has no whole numbers of 64 bits. */
function traceFields(run) {
  const { prompt, negative_prompt, steps, guidance_scale, model, fingerprint, width, height, truncated, frames } = run;
  const { name: scheduler, alphas_cumprod, final_alpha_cumprod, ...config } = run.scheduler;
  const fields = {
    prompt, negative_prompt, steps, guidance_scale, model, fingerprint, width, height, truncated,
    seed: "SEED",
    scheduler,
    scheduler_config: config,
    pipeline: "StableDiffusionPipeline",
    versions: { browser: navigator.userAgent },
    scaling_factor: run.scaling_factor,
    shift_factor: run.shift_factor,
    complete: true,
    tokens: run.tokens.map(({ id, text, word, start, end, kind }) => [id, text, word, start, end, kind]),
    weights: {},
    activations: [],
    readings: [],
    frame_bytes: Object.fromEntries(Object.entries(frames).map(([name, pictures]) => [name, pictures.map(({ byteLength }) => byteLength)])),
  };
  return JSON.stringify(fields).replace('"seed":"SEED"', `"seed":${BigInt(run.seed)}`);
}

function safetensors(tensors, metadata) {
  const header = { __metadata__: metadata };
  let at = 0;
  for (const [name, [dtype, dims, data]] of Object.entries(tensors)) {
    header[name] = { dtype, shape: dims, data_offsets: [at, (at += data.byteLength)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32);
  padded.set(text);
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(padded.length), true);
  const parts = Object.values(tensors).map(([, , data]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return joinedBytes([size, padded, ...parts]).buffer;
}
