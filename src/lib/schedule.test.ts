import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Log } from './log.ts';
import { intervalMs, scheduleJob, type ScheduledJob } from './schedule.ts';

const MINUTE_MS = 60_000;
const START = new Date('2026-01-01T12:00:30Z');
let lines: string[];
let job: ScheduledJob | undefined;
const log: Log = { info: (line) => lines.push(line), error: (line) => lines.push(line) };

beforeEach(() => {
  lines = [];
  vi.useFakeTimers({ now: START });
});
afterEach(async () => {
  await job?.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a scheduled job', () => {
  it('runs at the times of its expression', async () => {
    const run = vi.fn(() => Promise.resolve());
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    expect(job.nextRunAt()).toEqual(new Date('2026-01-01T12:01:00Z'));
    await vi.advanceTimersByTimeAsync(29_000);
    expect(run).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(run).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
    expect(run).toHaveBeenCalledTimes(6);
  });

  it('takes six fields, seconds first', async () => {
    const run = vi.fn(() => Promise.resolve());
    job = scheduleJob('sweep', '*/10 * * * * *', log, run);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(run).toHaveBeenCalledTimes(6);
    expect(intervalMs('*/10 * * * * *', START)).toBe(10_000);
  });

  it('leaves out no run before a pause of an uneven expression', async () => {
    const times: string[] = [];
    job = scheduleJob('sweep', '0,5,10 * * * *', log, () => {
      times.push(new Date().toISOString().slice(11, 16));
      return Promise.resolve();
    });
    await vi.advanceTimersByTimeAsync(70 * MINUTE_MS);
    expect(times).toEqual(['12:05', '12:10', '13:00', '13:05', '13:10']);
  });

  it('skips while the run before is not done, counts that, and says so', async () => {
    let finish = (): void => undefined;
    const run = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
    expect(run).toHaveBeenCalledTimes(1);
    expect(job.skippedRuns()).toBe(2);
    expect(lines.at(-1)).toBe('sweep skipped: the one before is still running (2 skipped so far)');
    finish();
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(run).toHaveBeenCalledTimes(2);
    finish();
  });

  it('goes on after a run that failed', async () => {
    const run = vi.fn(() => Promise.reject(new Error('disk full')));
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect(run).toHaveBeenCalledTimes(2);
    expect(lines).toEqual(['sweep failed: disk full', 'sweep failed: disk full']);
  });

  it('runs once, not sixty times, after the clock was set an hour forward', async () => {
    const run = vi.fn(() => Promise.resolve());
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    vi.setSystemTime(Date.now() + 60 * MINUTE_MS);
    run.mockClear();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('skips once a period, not 645 times, when the clock is set forward during a run', async () => {
    let finish = (): void => undefined;
    job = scheduleJob('sweep', '*/1 * * * *', log, () => new Promise<void>((resolve) => (finish = resolve)));
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    vi.setSystemTime(Date.now() + 645 * MINUTE_MS);
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
    expect(job.skippedRuns()).toBe(3);
    expect(lines.filter((line) => line.includes('skipped'))).toHaveLength(3);
    finish();
  });

  it('starts the run that a clock set an hour back has swallowed', async () => {
    const run = vi.fn(() => Promise.resolve());
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    vi.setSystemTime(Date.now() - 60 * MINUTE_MS);
    run.mockClear();
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
    expect(run.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(lines.join()).toContain('was due and did not start');
    await job.stop();
    // node-schedule 2.1 re-arms a timer that fires before its time without remembering the new one.
    vi.clearAllTimers();
  });

  it('stops for good, after the run under way has ended', async () => {
    let finish = (): void => undefined;
    const run = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    job = scheduleJob('sweep', '*/1 * * * *', log, run);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    let stopped = false;
    const stopping = job.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(run).toHaveBeenCalledTimes(1);
    expect(job.nextRunAt()).toBeNull();
  });
});
