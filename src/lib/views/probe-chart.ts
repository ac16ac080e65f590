import { withCommas } from '../facts/time-words.ts';

/** Durations in milliseconds; p50 and p95 are off by 5 % at most. */
export type ProbeStep = {
  readonly startsAt: Date;
  readonly probes: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
};

export type ProbeDurations =
  | { readonly kind: 'points'; readonly points: readonly { readonly at: Date; readonly probeMs: number }[] }
  /** Steps without a probe are left out. */
  | { readonly kind: 'quantiles'; readonly stepMs: number; readonly steps: readonly ProbeStep[] };

/** How far back a chart may look, in milliseconds. */
export const WINDOW_MS = {
  '1h': 60 * 60_000,
  '24h': 24 * 60 * 60_000,
  '7d': 7 * 24 * 60 * 60_000,
  '30d': 30 * 24 * 60 * 60_000,
} as const;
export type ProbeWindow = keyof typeof WINDOW_MS;

export const PROBE_WINDOWS = Object.keys(WINDOW_MS) as readonly ProbeWindow[];

/** The window that an address asks for; the last day where it asks for none that there is. */
export const parseWindow = (text: string | null): ProbeWindow => PROBE_WINDOWS.find((one) => one === text) ?? '24h';

/** The plane of a chart: x from 0 (the beginning of the window) to 1000 (now), y from 0 (top) to 100 (no time at all). */
export const PLANE = { width: 1000, height: 100 } as const;

export type ProbeChart = {
  /** Of an SVG path each; a line has gaps where nothing is known. `slow` is null where there is a line of single probes. */
  readonly usual: string;
  readonly slow: string | null;
  /** Stretches without a probe, on the x axis of the plane. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
  /** Milliseconds at top, middle and bottom; none where nothing was measured: an axis would be made up. */
  readonly yTicks: readonly number[];
  readonly xTicks: readonly { readonly x: number; readonly label: string }[];
  /** The same in words. */
  readonly summary: string;
};

const X_TICKS: Record<ProbeWindow, readonly string[]> = {
  '1h': ['−60 min', '−45', '−30', '−15', 'now'],
  '24h': ['−24 h', '−18', '−12', '−6', 'now'],
  '7d': ['−7 d', '−6', '−5', '−4', '−3', '−2', '−1', 'now'],
  '30d': ['−30 days', '−20 days', '−10 days', 'now'],
};
const WINDOW_WORDS: Record<ProbeWindow, string> = {
  '1h': 'the last hour',
  '24h': 'the last 24 hours',
  '7d': 'the last 7 days',
  '30d': 'the last 30 days',
};

type Point = { readonly atMs: number; readonly usualMs: number; readonly slowMs: number };

/** Lays out how long probes took. `checkValidMs`: how long a single probe stands; a longer pause is a gap. */
export function layOutChart(
  durations: ProbeDurations,
  window: ProbeWindow,
  checkValidMs: number,
  now: Date,
): ProbeChart {
  const points = pointsOf(durations, now);
  const longestPauseMs = 1.5 * (durations.kind === 'points' ? checkValidMs : durations.stepMs);
  const fromMs = now.getTime() - WINDOW_MS[window];
  const x = (atMs: number): number => round(((atMs - fromMs) / WINDOW_MS[window]) * PLANE.width);
  const top = niceTop(Math.max(0, ...points.map(({ slowMs }) => slowMs)));
  const y = (ms: number): number => round(PLANE.height * (1 - ms / top));
  const visible = points.filter(({ atMs }) => atMs >= fromMs);
  const runs = split(visible, longestPauseMs);
  const line = (of: (point: Point) => number): string =>
    runs.map((run) => pathOf(run, x, (one) => y(of(one)))).join('');
  const ticks = X_TICKS[window];
  return {
    usual: line(({ usualMs }) => usualMs),
    slow: durations.kind === 'points' ? null : line(({ slowMs }) => slowMs),
    gaps: gapsOf(runs, longestPauseMs, fromMs, now.getTime()).map(({ from, to }) => ({ from: x(from), to: x(to) })),
    yTicks: visible.length === 0 ? [] : [top, top / 2, 0],
    xTicks: ticks.map((label, index) => ({ x: round((index / (ticks.length - 1)) * PLANE.width), label })),
    summary: summarize(visible, window, durations.kind === 'points' ? 'the slowest' : 'slow ones about'),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

const pointsOf = (durations: ProbeDurations, now: Date): Point[] =>
  durations.kind === 'points'
    ? durations.points.map(({ at, probeMs }) => ({ atMs: at.getTime(), usualMs: probeMs, slowMs: probeMs }))
    : durations.steps.map(({ startsAt, p50Ms, p95Ms }) => ({
        // In the middle of its step; the last step has not got that far yet.
        atMs: Math.min(startsAt.getTime() + durations.stepMs / 2, now.getTime()),
        usualMs: p50Ms,
        slowMs: p95Ms,
      }));

/** Runs of points that follow each other without a pause. */
function split(points: readonly Point[], longestPauseMs: number): Point[][] {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run && before && point.atMs - before.atMs <= longestPauseMs) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

/** A point alone is a line of no length: with round ends, a dot. */
const pathOf = (run: readonly Point[], x: (atMs: number) => number, y: (point: Point) => number): string =>
  run.map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.atMs)} ${y(point)}`).join('') +
  (run.length === 1 ? 'h0' : '');

function gapsOf(runs: readonly Point[][], longestPauseMs: number, fromMs: number, toMs: number) {
  const edges = [fromMs, ...runs.flatMap((run) => [run[0]?.atMs ?? fromMs, run.at(-1)?.atMs ?? fromMs]), toMs];
  const gaps: { from: number; to: number }[] = [];
  for (let index = 0; index < edges.length; index += 2) {
    const [from = fromMs, to = toMs] = [edges[index], edges[index + 1]];
    if (to - from > longestPauseMs) gaps.push({ from, to });
  }
  return gaps;
}

/** The next round number whose half is one too: 10, 20, 40, 60, 80, 100, 200 … */
function niceTop(ms: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(ms, 10)));
  const step = [1, 2, 4, 6, 8, 10].find((one) => one * magnitude >= ms) ?? 10;
  return step * magnitude;
}

function summarize(points: readonly Point[], window: ProbeWindow, slow: string): string {
  const usual = points.map(({ usualMs }) => usualMs).toSorted((a, b) => a - b)[Math.floor(points.length / 2)];
  if (usual === undefined) return `No response was measured in ${WINDOW_WORDS[window]}.`;
  const slowest = Math.max(...points.map(({ slowMs }) => slowMs));
  return `In ${WINDOW_WORDS[window]} an answer usually took ${withCommas(Math.round(usual))} ms; ${slow} ${withCommas(Math.round(slowest))} ms.`;
}
