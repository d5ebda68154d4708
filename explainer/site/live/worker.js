// The model at work, beside the page so that the page stays quick: fetches the parts, draws a run
// step by step, and hands over what a Trace of it would hold. `sizes` and folders come from the page.
// Told: {type: "draw", id, sizes, parameters} and {type: "cancel"}. Tells: {type: "loading" | "begun" |
// "step" | "done" | "cancelled" | "failed", id, …}.

import { normals } from "./noise.js";
import { plan, step } from "./scheduler.js";
import { Tokenizer } from "./tokenizer.js";

const HERE = new URL("./", import.meta.url);
const PARTS = ["text_encoder", "denoiser", "decoder"];
// The least that must run: one instruction on vectors of 128 bits.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const NO_SIMD =
  "This browser cannot run the model: it has no WebAssembly with vectors. Take a current Firefox, Chrome, Edge or Safari, or a live page.";

let model = null;
let wanted = 0;
let last = Promise.resolve();
let fetching = new AbortController();

onmessage = ({ data }) => {
  wanted = data.type === "draw" ? data.id : 0;
  if (data.type === "cancel") fetching.abort();
  // One after another: a session computes one thing at a time. Whoever is before ends soon, for it is
  // not wanted any more.
  if (data.type === "draw") last = last.then(() => answer(data));
};

async function answer(data) {
  const tell = (type, content = {}, transfer = []) => postMessage({ type, id: data.id, ...content }, transfer);
  try {
    if (wanted !== data.id) return tell("cancelled"); // before anything is fetched for it
    model ??= load(data.sizes, (got, total) => postMessage({ type: "loading", id: wanted, got, total }));
    const parts = await model;
    tell("begun");
    const run = await draw(parts, data.parameters, (done, preview) => tell("step", { step: done, preview }), () => wanted !== data.id);
    if (run) tell("done", { run, device: parts.device });
    else tell("cancelled");
  } catch (error) {
    // A graphics processor was lost, a file did not come or is not wanted any more: begin anew next time.
    model = null;
    tell("failed", { text: String(error?.message ?? error) });
  }
}

/** Whether there is a graphics processor that this browser lets a page compute on. */
async function hasGpu() {
  return Boolean(await navigator.gpu?.requestAdapter().catch(() => null));
}

async function load(sizes, progress) {
  if (!WebAssembly.validate(new Uint8Array(SIMD))) throw new Error(NO_SIMD);
  fetching = new AbortController();
  const { signal } = fetching;
  const gpu = await hasGpu();
  const names = ["model/model.json", ...PARTS.map((name) => `model/${name}.onnx`)];
  const total = [binaryOf(gpu), ...names].reduce((sum, name) => sum + (sizes[name] ?? 0), 0);
  let got = 0;
  const count = (bytes) => progress((got += bytes), Math.max(total, got));
  const get = (name) => fetched(name, signal, count);
  const files = [];
  for (const name of names) files.push(await get(name));
  const [text, ...networks] = files;
  const facts = JSON.parse(new TextDecoder().decode(text));
  const wake = async (on) => ({ ...(await sessionsOf(networks, on, get)), facts, tokenizer: new Tokenizer(facts.tokenizer) });
  // A graphics processor may be there and yet refuse; every processor does it more slowly.
  return gpu ? wake(true).catch(() => wake(false)) : wake(false);
}

const binaryOf = (gpu) => `ort/${gpu ? "webgpu" : "wasm"}.bin`;

async function sessionsOf(networks, gpu, get) {
  const binary = await unpacked(await get(binaryOf(gpu)));
  const ort = await import(new URL(`ort/${gpu ? "webgpu" : "wasm"}.js`, HERE));
  ort.env.wasm.numThreads = 1; // more need headers that few web hosts send
  ort.env.wasm.wasmBinary = binary;
  ort.env.logLevel = "error";
  const options = { executionProviders: [gpu ? "webgpu" : "wasm"], logSeverityLevel: 3 };
  const sessions = {};
  for (const [i, name] of PARTS.entries()) sessions[name] = await ort.InferenceSession.create(networks[i], options);
  return { ort, device: gpu ? "WebGPU" : "WebAssembly", ...sessions };
}

async function fetched(name, signal, progress) {
  const address = new URL(name, HERE);
  const lost = (status = "") => {
    throw new Error(`${address.pathname} could not be fetched${status}. Is the network there, and the site complete?`);
  };
  const answer = await fetch(address, { signal }).catch(() => lost());
  if (!answer.ok) lost(` (${answer.status})`);
  const pieces = [];
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => lost());
    if (done) break;
    pieces.push(value);
    progress(value.byteLength);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** A file that was packed for hosts that pack nothing themselves; some hosts unpack it on the way. */
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Draw; null if it was stopped. Everything in the run is as in `explainer.trace.Trace`. */
async function draw(parts, parameters, progress, stopped) {
  const { facts, tokenizer } = parts;
  const [channels, height, width] = facts.latents;
  const { tokens, truncated } = tokenizer.read(parameters.prompt);
  const guided = parameters.guidance_scale > 1;
  const { states: positive, pooled } = await read(parts, tokens);
  const negative = guided ? (await read(parts, tokenizer.read(parameters.negative_prompt).tokens)).states : null;
  const steps = plan(facts.scheduler, parameters.steps);
  const dice = normals(BigInt(parameters.seed));
  let state = dice(channels * height * width).map((value) => value * facts.start);
  const kept = { latents: [state], x0: [], noise: [], noise_cond: [], noise_uncond: [] };
  const frames = { noisy: [await seen(facts, state)], x0: [] };
  for (const [i, at] of steps.entries()) {
    if (await letOthersSpeak(stopped)) return null;
    const conditional = await denoise(parts, state, at.timestep, positive);
    if (await letOthersSpeak(stopped)) return null;
    const unconditional = guided ? await denoise(parts, state, at.timestep, negative) : null;
    const noise = guided
      ? unconditional.map((value, k) => value + parameters.guidance_scale * (conditional[k] - value))
      : conditional;
    const { x0, after } = step(facts.scheduler, at, state, noise, dice);
    state = after;
    kept.latents.push(state);
    kept.x0.push(x0);
    kept.noise.push(noise);
    if (guided) {
      kept.noise_cond.push(conditional);
      kept.noise_uncond.push(unconditional);
    }
    frames.noisy.push(await seen(facts, state));
    frames.x0.push(await encoded(await decode(parts, x0), 0.85));
    progress(i + 1, frames.x0.at(-1));
  }
  const picture = await decode(parts, state);
  frames.noisy[frames.noisy.length - 1] = await encoded(picture, 0.85);
  return {
    ...parameters,
    tokens,
    truncated,
    states: positive,
    pooled,
    timesteps: steps.map(({ timestep }) => timestep),
    signal: steps.map(({ alpha }) => alpha),
    shape: facts.latents,
    ...Object.fromEntries(Object.entries(kept).map(([name, arrays]) => [name, joined(arrays)])),
    frames,
    picture: await encoded(picture, 1),
    width: picture.width,
    height: picture.height,
    model: facts.model,
    fingerprint: facts.fingerprint,
    scheduler: facts.scheduler,
    scaling_factor: facts.scaling_factor,
    shift_factor: facts.shift_factor,
  };
}

/** Let messages arrive, then say whether one of them asked to stop. */
async function letOthersSpeak(stopped) {
  await new Promise((go) => setTimeout(go));
  return stopped();
}

async function read({ ort, text_encoder: encoder }, tokens) {
  const ids = new ort.Tensor("int32", Int32Array.from(tokens, ({ id }) => id), [1, tokens.length]);
  const { states, pooled } = await encoder.run({ ids });
  return { states: { data: await states.getData(), dims: states.dims }, pooled: await pooled.getData() };
}

async function denoise({ ort, denoiser, facts }, state, timestep, { data, dims }) {
  const { noise } = await denoiser.run({
    latents: new ort.Tensor("float32", state, [1, ...facts.latents]),
    timestep: new ort.Tensor("float32", [timestep], [1]),
    states: new ort.Tensor("float32", data, dims),
  });
  return noise.getData();
}

async function decode({ ort, decoder, facts }, latents) {
  const { pixels } = await decoder.run({ latents: new ort.Tensor("float32", latents, [1, ...facts.latents]) });
  const values = await pixels.getData();
  const [, colours, height, width] = pixels.dims;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < colours; c += 1) image.data[4 * i + c] = Math.round(255 * (values[c * width * height + i] / 2 + 0.5));
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** A state shown by one small matrix from its channels to colours, as `explainer.capture.linear`. */
async function seen({ colours, latents: [channels, height, width], scale }, state) {
  const size = height * width;
  const image = new ImageData(width, height);
  for (let i = 0; i < size; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      let value = colours[channels][c];
      for (let k = 0; k < channels; k += 1) value += state[k * size + i] * colours[k][c];
      image.data[4 * i + c] = Math.round(255 * value);
    }
    image.data[4 * i + 3] = 255;
  }
  return encoded(image, 0.85, scale);
}

async function encoded(image, quality, scale = 1) {
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  const canvas = new OffscreenCanvas(image.width * scale, image.height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  return new Uint8Array(await blob.arrayBuffer());
}

function joined(arrays) {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  arrays.reduce((from, one) => (all.set(one, from), from + one.length), 0);
  return all;
}
