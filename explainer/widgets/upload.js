// A picture of the reader's own: opened, cut square and scaled in the browser. Only pixels go on to
// Python, so that neither the file nor what else it holds (a place, a date) is ever there.

const MOST_UPLOAD_BYTES = 40 * 2 ** 20;
// Opened, a picture takes four bytes a pixel, whatever its file is like.
const MOST_UPLOAD_PIXELS = 64e6;

/** A button that opens a picture; `take(DataView)` gets RGB bytes of size × size, `refuse(text)` why not. */
function uploadButton(size, take, refuse) {
  const file = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => open(file.files[0]) });
  const button = h("button", { class: "ex-button", type: "button", text: "Your own picture…", onclick: () => file.click() });
  return h("span", {}, button, file);

  async function open(given) {
    file.value = "";
    if (!given) return;
    if (given.size > MOST_UPLOAD_BYTES) {
      return refuse(`This file is larger than ${MOST_UPLOAD_BYTES / 2 ** 20} MB. Choose a smaller one.`);
    }
    const pixels = await uploadedPixels(given, size()).catch((error) => error);
    if (pixels instanceof TooLarge) return refuse(pixels.message);
    if (pixels instanceof Error) return refuse("This file is no picture that the browser can open. Try a PNG, JPEG or WebP.");
    take(pixels);
  }
}

class TooLarge extends Error {}

/** Refuse what would take too much memory; a browser knows a picture's size before it opens it. */
async function measured(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((done, failed) => Object.assign(image, { onload: done, onerror: () => failed(new Error("no picture")) }));
  } finally {
    URL.revokeObjectURL(image.src);
  }
  const pixels = image.naturalWidth * image.naturalHeight;
  if (pixels > MOST_UPLOAD_PIXELS) {
    const most = MOST_UPLOAD_PIXELS / 1e6;
    throw new TooLarge(`This picture has ${Math.round(pixels / 1e6)} million pixels; at most ${most} million are opened. Make it smaller first.`);
  }
}

/** RGB bytes of the middle square; what is transparent lies on white, of an animation the first frame counts. */
async function uploadedPixels(file, size) {
  await measured(file);
  const bitmap = await createImageBitmap(file);
  const side = Math.min(bitmap.width, bitmap.height);
  const context = new OffscreenCanvas(size, size).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, size, size);
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
  bitmap.close();
  const { data } = context.getImageData(0, 0, size, size);
  return new DataView(data.filter((_, i) => i % 4 !== 3).buffer);
}
