/**
 * How long probes took, as counts in buckets that grow by a constant factor: a quantile read from it is off by at most
 * `RELATIVE_ERROR`, histograms of neighbouring times add up without loss, and the size depends on the spread of the
 * durations, not on their number. Method: DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile
 * Sketch with Relative-Error Guarantees", VLDB 2019), without its limit on the number of buckets: 1 ms to an hour are
 * 152 of them.
 *
 * As text, each filled bucket is its distance from the one before, as a letter (`a` = 1 … `z` = 26, each `Z` in front
 * 26 more), then its count where that is not 1: `Zc12ab3`. Empty text is an empty histogram.
 */
export type ProbeHistogram = ReadonlyMap<number, number>;

export const RELATIVE_ERROR = 0.05;
/** Bucket i holds durations in (GROWTH^(i-1), GROWTH^i]. */
const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LETTERS = 26;
const ENTRY = /(Z*)([a-z])([1-9]\d*)?/y;

/** Below a millisecond everything is alike; so the first bucket is the one of 1 ms and less. */
function bucketOf(ms: number): number {
  if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`${ms} is no duration in milliseconds`);
  return Math.ceil(Math.log(Math.max(1, ms)) / Math.log(GROWTH));
}

/** The value that is at most `RELATIVE_ERROR` away from both ends of its bucket. */
const valueOf = (bucket: number): number => (2 * GROWTH ** bucket) / (GROWTH + 1);

/** Buckets in rising order. Throws for text that `format` has not written. */
export function parseHistogram(text: string): Map<number, number> {
  const histogram = new Map<number, number>();
  let bucket = -1;
  ENTRY.lastIndex = 0;
  for (let at = 0; at < text.length; at = ENTRY.lastIndex) {
    const [entry, far = '', letter = '', count = '1'] = ENTRY.exec(text) ?? [];
    if (entry === undefined) throw new Error(`not a histogram of probe durations: ${JSON.stringify(text)}`);
    bucket += far.length * LETTERS + letter.charCodeAt(0) - 96;
    histogram.set(bucket, Number(count));
  }
  return histogram;
}

export function formatHistogram(histogram: ProbeHistogram): string {
  let text = '';
  let before = -1;
  for (const [bucket, count] of [...histogram].sort(([a], [b]) => a - b)) {
    if (count === 0) continue;
    const far = Math.floor((bucket - before - 1) / LETTERS);
    text += 'Z'.repeat(far) + String.fromCharCode(96 + bucket - before - far * LETTERS) + (count === 1 ? '' : count);
    before = bucket;
  }
  return text;
}

/** One probe more (1) or less (-1) of `ms` milliseconds. */
export type ProbeChange = { readonly ms: number; readonly count: 1 | -1 };

/** The histogram after these changes, one after the other; taking out what it does not hold changes nothing. */
export function changeProbes(text: string, changes: readonly ProbeChange[]): string {
  if (changes.length === 0) return text;
  const histogram = parseHistogram(text);
  for (const { ms, count } of changes) {
    const bucket = bucketOf(ms);
    histogram.set(bucket, Math.max(0, (histogram.get(bucket) ?? 0) + count));
  }
  return formatHistogram(histogram);
}

/** The histogram with one more probe of `ms` milliseconds. */
export const addProbe = (text: string, ms: number): string => changeProbes(text, [{ ms, count: 1 }]);

export function mergeHistograms(texts: Iterable<string>): ProbeHistogram {
  const merged = new Map<number, number>();
  for (const text of texts)
    for (const [bucket, count] of parseHistogram(text)) merged.set(bucket, (merged.get(bucket) ?? 0) + count);
  return merged;
}

export const countProbes = (histogram: ProbeHistogram): number =>
  [...histogram.values()].reduce((sum, count) => sum + count, 0);

/**
 * The duration in milliseconds that a share `q` (0..1) of the probes did not exceed, within `RELATIVE_ERROR` of the
 * probe at rank ⌊q·(n−1)⌋; null for an empty histogram.
 */
export function quantile(histogram: ProbeHistogram, q: number): number | null {
  const rank = Math.floor(q * (countProbes(histogram) - 1));
  let passed = 0;
  for (const [bucket, count] of [...histogram].sort(([a], [b]) => a - b)) {
    passed += count;
    if (passed > rank) return valueOf(bucket);
  }
  return null;
}
