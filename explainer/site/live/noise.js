// The noise that torch draws on a processor for a seed, number by number: so a seed means the same
// picture here and there. torch.randn fills a tensor from a Mersenne twister (Matsumoto & Nishimura
// 1998) by Box and Muller's method (1958), sixteen numbers at a time (ATen/native/cpu,
// DistributionTemplates.h). Its vector code takes logarithm and cosine in single precision, which
// differs from this in the last bit or two.

const N = 624;
const M = 397;
const BLOCK = 16;

function twister(seed) {
  const state = new Uint32Array(N);
  // Of a seed of 64 bits, torch's generator for processors uses the lower 32.
  state[0] = Number(BigInt.asUintN(32, seed));
  for (let i = 1; i < N; i += 1) {
    const before = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let next = N;

  function renew() {
    for (let i = 0; i < N; i += 1) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    next = 0;
  }

  return () => {
    if (next === N) renew();
    let y = state[next];
    next += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/**
 * Where standard normal numbers come from, as from `torch.Generator().manual_seed(seed)`: each call of
 * what is returned goes on where the last one ended, as one `torch.randn(count, generator=…)` after another.
 * @param {bigint} seed from 0 to 2⁶⁴ − 1
 * @returns {(count: number) => Float32Array} of at least 16 numbers: torch fills fewer another way
 */
export function normals(seed) {
  const bits = twister(seed);
  const uniform = () => (bits() & 0xffffff) / 0x1000000;
  return (count) => {
    if (count < BLOCK) throw new RangeError(`${count} numbers are too few: at least ${BLOCK}`);
    const values = Float32Array.from({ length: count }, uniform);
    for (let i = 0; i + BLOCK <= count; i += BLOCK) boxMuller(values.subarray(i, i + BLOCK));
    if (count % BLOCK) {
      const last = values.subarray(count - BLOCK);
      last.set(Float32Array.from({ length: BLOCK }, uniform));
      boxMuller(last);
    }
    return values;
  };
}

function boxMuller(block) {
  for (let i = 0; i < BLOCK / 2; i += 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - block[i]));
    const angle = 2 * Math.PI * block[i + BLOCK / 2];
    block[i] = radius * Math.cos(angle);
    block[i + BLOCK / 2] = radius * Math.sin(angle);
  }
}
