// The final picture as PNG, with what draws it here in text fields: six of those of sharing.py's `still`.

const PNG_HEADER = 33; // bytes: the signature, and the first chunk with the size

async function pictureFile(model) {
  const view = model.get("_frames");
  const [from, to] = model.get("_frame_index").picture;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, to - from);
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const png = new Uint8Array(await blob.arrayBuffer());
  const { prompt, negative_prompt, seed, steps, guidance_scale, model: name } = model.get("_run");
  const texts = Object.entries({ model: name, prompt, negative_prompt, seed, steps, guidance_scale });
  return joinedBytes([png.subarray(0, PNG_HEADER), ...texts.map(textChunk), png.subarray(PNG_HEADER)]).buffer;
}

/** An iTXt chunk (PNG 1.2, section 4.2.3.3), not packed, in no named language. */
function textChunk([name, text]) {
  const body = new TextEncoder().encode(`iTXt${name}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4); // without its type
  chunk.set(body, 4);
  view.setUint32(body.length + 4, checksum(body));
  return chunk;
}

/** CRC-32 as PNG takes it (ISO 3309). */
function checksum(bytes) {
  let rest = -1;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest;
}
