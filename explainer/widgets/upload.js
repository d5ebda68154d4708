// A picture of the reader's own: opened, cut square and scaled in the browser. Only pixels go on to
// Python, so that neither the file nor what else it holds (a place, a date) is ever there.

const MOST_UPLOAD_BYTES = 40 * 2 ** 20;

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
    const pixels = await uploadedPixels(given, size()).catch(() => null);
    if (!pixels) return refuse("This file is no picture that the browser can open. Try a PNG, JPEG or WebP.");
    take(pixels);
  }
}

/** RGB bytes of the middle square; what is transparent lies on white, of an animation the first frame counts. */
async function uploadedPixels(file, size) {
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
