// CLIP's tokenizer from its own file, tokenizer.json: byte-level pieces, merged by rank (Sennrich et
// al. 2016). What the file asks for beyond that is refused when the site is exported.

/** One printable character for each of 256 bytes, as GPT-2 chose them. */
function byteLetters() {
  const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : 256 + others++));
}

/** JavaScript's \s takes one more character and leaves one out of those that Unicode calls white. */
const inUnicode = (pattern) => new RegExp(pattern.replaceAll("\\s", "\\p{White_Space}"), "gu");

export class Tokenizer {
  /** @param {object} file the parsed tokenizer.json */
  constructor(file) {
    const { vocab, merges, end_of_word_suffix: suffix, unk_token: unknown } = file.model;
    this.vocabulary = new Map(Object.entries(vocab));
    this.ranks = new Map(merges.map((pair, rank) => [[pair].flat().join(" "), rank]));
    this.suffix = suffix;
    this.unknown = unknown;
    this.special = new Map(file.added_tokens.map(({ content, id }) => [content, id]));
    this.pieces = inUnicode(file.pre_tokenizer.pretokenizers.find(({ type }) => type === "Split").pattern.Regex);
    this.length = file.truncation.max_length;
    const [, start] = file.post_processor.cls;
    const [, end] = file.post_processor.sep;
    Object.assign(this, { start, end, padding: file.padding.pad_id });
    this.letters = byteLetters();
    this.names = new Map([...this.vocabulary, ...this.special].map(([name, id]) => [id, name]));
  }

  /**
   * What the text encoder reads of a text: `length` tokens {id, text, word, start, end, kind} as a
   * Trace has them, places counted in code points, and the end of the text that it never reads.
   */
  read(text) {
    const words = this.segments(text).flatMap((segment) => this.wordsOf(segment));
    const before = pointsBefore(text);
    const kept = words
      .slice(0, this.length - 2)
      .map((token) => ({ ...token, start: before[token.start], end: before[token.end] }));
    const position = kept.at(-1)?.end ?? 0;
    const sign = (id, kind, at) => ({ id, text: this.names.get(id), word: null, start: at, end: at, kind });
    const tokens = [sign(this.start, "start", 0), ...kept, sign(this.end, "end", position)];
    while (tokens.length < this.length) tokens.push(sign(this.padding, "padding", position));
    return { tokens, truncated: words.length > kept.length ? text.slice(words[kept.length].start) : "" };
  }

  /** The text cut at the special tokens that somebody typed: those are taken as they are. */
  segments(text) {
    const found = [];
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const name = [...this.special.keys()].find((one) => text.startsWith(one, at));
      if (!name) continue;
      found.push({ text: text.slice(from, at), from }, { id: this.special.get(name), text: name, from: at });
      from = at + name.length;
      at = from - 1;
    }
    return [...found, { text: text.slice(from), from }];
  }

  wordsOf({ text, from, id }) {
    if (id !== undefined) return [{ id, text, word: bareWord(text, 0), start: from, end: from + text.length, kind: "word" }];
    const { clean, places } = normalized(text);
    return [...clean.matchAll(this.pieces)].flatMap(({ 0: piece, index }) => {
      const [begin] = places[index];
      const [, close] = places[index + piece.length - 1];
      return this.merged(piece).map(({ id: number, start, end }) => {
        const [first] = places[index + start];
        const [, last] = places[index + end - 1];
        const word = bareWord(text.slice(begin, close), first - begin);
        return { id: number, text: text.slice(first, last), word, start: from + first, end: from + last, kind: "word" };
      });
    });
  }

  /** The tokens of one piece, each with the place in it where its letters begin and end. */
  merged(piece) {
    let parts = [];
    let place = 0;
    for (const letter of piece) {
      const bytes = new TextEncoder().encode(letter);
      for (const byte of bytes) parts.push({ name: this.letters[byte], start: place, end: place + letter.length });
      place += letter.length;
    }
    parts.at(-1).name += this.suffix;
    for (;;) {
      const ranks = parts.slice(1).map((part, i) => this.ranks.get(`${parts[i].name} ${part.name}`) ?? Infinity);
      const best = Math.min(...ranks);
      if (best === Infinity) break;
      const i = ranks.indexOf(best);
      const [one, other] = [parts[i], parts[i + 1]];
      parts = [...parts.slice(0, i), { name: one.name + other.name, start: one.start, end: other.end }, ...parts.slice(i + 2)];
    }
    return parts.map(({ name, ...span }) => ({ id: this.vocabulary.get(name) ?? this.special.get(this.unknown), ...span }));
  }
}

/** How many code points stand before each code unit of a text, and before its end. */
function pointsBefore(text) {
  const before = [];
  let points = 0;
  for (const letter of text) {
    for (let i = 0; i < letter.length; i += 1) before.push(points);
    points += 1;
  }
  return [...before, points];
}

/** The word at a place of a piece, without the signs beside it. */
function bareWord(piece, at) {
  const matches = piece.matchAll(/[\p{L}\p{N}_]+(?:['’-][\p{L}\p{N}_]+)*|[^\p{L}\p{N}_\p{White_Space}]+/gu);
  return [...matches].find(({ 0: { length }, index }) => index <= at && at < index + length)?.[0] ?? piece;
}

/**
 * Unicode's composed form, blanks run together, small letters; and for each of its code units where
 * the letter that it came from begins and ends.
 */
function normalized(text) {
  const places = [];
  let clean = "";
  let blank = false;
  let from = 0;
  for (const cluster of text.match(/[\u1100-\u11ff]+|\P{M}\p{M}*|\p{M}+/gu) ?? []) {
    const composed = cluster.normalize("NFC");
    let place = from;
    for (const letter of composed) {
      const white = /\p{White_Space}/u.test(letter);
      // Letter by letter, so that a Greek sigma at a word's end is no exception here either.
      const small = white ? " " : letter.toLowerCase();
      const span = composed === cluster ? [place, place + letter.length] : [from, from + cluster.length];
      if (!(white && blank)) {
        clean += small;
        for (let i = 0; i < small.length; i += 1) places.push(span);
      }
      blank = white;
      place += letter.length;
    }
    from += cluster.length;
  }
  return { clean, places };
}
