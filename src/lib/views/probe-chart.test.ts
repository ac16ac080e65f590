import { describe, expect, it } from 'vitest';
import { layOutChart, parseWindow } from './probe-chart.ts';
import type { ProbeDurations } from './probe-chart.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const MINUTE = 60_000;
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * MINUTE);
const points = (...probes: [number, number][]): ProbeDurations => ({
  kind: 'points',
  points: probes.map(([minutes, probeMs]) => ({ at: ago(minutes), probeMs })),
});
const chartOf = (durations: ProbeDurations, window: '1h' | '24h' = '1h') =>
  layOutChart(durations, window, 2 * MINUTE, NOW);

describe('a chart of response times', () => {
  it('draws from the beginning of the window to now, from nothing up to a round number', () => {
    const chart = chartOf(points([60, 30], [57, 60], [54, 0]));
    expect(chart.usual).toBe('M0 50L50 0L100 100');
    expect(chart.slow).toBeNull();
    expect(chart.yTicks).toEqual([60, 30, 0]);
    expect(chart.xTicks.map(({ x }) => x)).toEqual([0, 250, 500, 750, 1000]);
  });

  it('breaks the line where nothing is known, and says where', () => {
    const chart = chartOf(points([60, 10], [57, 10], [30, 10], [3, 5], [0, 5]));
    expect(chart.usual).toBe('M0 0L50 0M500 0h0M950 50L1000 50');
    expect(chart.gaps).toEqual([
      { from: 50, to: 500 },
      { from: 500, to: 950 },
    ]);
  });

  it('is one gap where nothing was measured', () => {
    expect(chartOf(points())).toMatchObject({
      usual: '',
      gaps: [{ from: 0, to: 1000 }],
      yTicks: [],
      summary: 'No response was measured in the last hour.',
    });
  });

  it('draws quantiles in the middle of their step, and the running step no later than now', () => {
    const step = (minutes: number, p50Ms: number, p95Ms: number) => ({
      startsAt: ago(minutes),
      probes: 10,
      p50Ms,
      p95Ms,
    });
    const chart = chartOf(
      { kind: 'quantiles', stepMs: 10 * MINUTE, steps: [step(725, 40, 130), step(715, 41.4, 200), step(2, 40, 50)] },
      '24h',
    );
    expect(chart.usual).toBe('M500 80L506.9 79.3M1000 80h0');
    expect(chart.slow).toBe('M500 35L506.9 0M1000 75h0');
    expect(chart.summary).toBe('In the last 24 hours an answer usually took 40 ms; slow ones about 200 ms.');
  });

  it.each([
    ['7d', '7d'],
    ['1y', '24h'],
    [null, '24h'],
  ])('?range=%s means %s', (text, window) => {
    expect(parseWindow(text)).toBe(window);
  });
});
