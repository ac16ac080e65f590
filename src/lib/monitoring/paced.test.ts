import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { runPaced } from './paced.ts';
import { batchOf, type Batch, type Paced, type PaceLimits } from './rules/pace.ts';

const LIMITS: PaceLimits = {
  batchSize: 5,
  maxSockets: 300,
  intervalMs: 60_000,
  connectTimeoutMs: 10_000,
  isDueToEnd: true,
};
const vps = (address: string): Paced => ({ address, lookedAt: null, expectedMs: 100 });
const PLAN = Array.from('abc', (address) => batchOf([vps(address)], null));

/** An edge whose looks end when they are told to. */
function edge(begin: (batch: Batch<Paced>) => Promise<readonly Paced[]> = () => Promise.resolve([])) {
  const probes = new AbortController();
  const begun: string[] = [];
  return {
    probes,
    begun,
    begin: (batch: Batch<Paced>) => {
      begun.push(batch.vpss.map(({ address }) => address).join('') + (batch.againAtMs === null ? '' : ' again'));
      return begin(batch);
    },
    leave: () => undefined,
    againAfterMs: () => 1,
    open: () => 0,
    stop: AbortSignal.any([probes.signal]),
    isStopped: () => probes.signal.aborted,
  };
}

describe('a paced run', () => {
  it('begins each batch, and once more those that are to be looked at again', async () => {
    const run = edge(({ againAtMs, vpss }) => Promise.resolve(againAtMs === null ? vpss : []));
    await runPaced(PLAN, { ...LIMITS, isDueToEnd: false }, run);
    expect(run.begun.toSorted()).toEqual(['a', 'a again', 'b', 'b again', 'c', 'c again']);
  });

  it('lets go of the signal that ends it: with it Node would keep what every sweep has known', async () => {
    const run = edge();
    await runPaced(PLAN, LIMITS, run);
    expect(getEventListeners(run.stop, 'abort')).toEqual([]);
    const failing = edge(() => Promise.reject(new Error('broken')));
    await expect(runPaced(PLAN, LIMITS, failing)).rejects.toThrow('broken');
    expect(getEventListeners(failing.stop, 'abort')).toEqual([]);
  });

  it('begins nothing more when it is stopped while it waits, and ends when what is under way has', async () => {
    const underWay = Promise.withResolvers<readonly Paced[]>();
    const run = edge(() => underWay.promise);
    const home = ['a', 'b'].map(() =>
      batchOf(
        Array.from({ length: 5 }, () => vps('home')),
        null,
      ),
    );
    let ended = false;
    const running = runPaced(home, LIMITS, run).then(() => (ended = true));
    run.probes.abort();
    await new Promise(setImmediate);
    expect({ ended, begun: run.begun }).toEqual({ ended: false, begun: ['homehomehomehomehome'] });
    // What was to be looked at once more is not either.
    underWay.resolve(home[0]?.vpss ?? []);
    await running;
    expect(run.begun).toHaveLength(1);
  });

  it('ends when all that began have ended, with the first error of one of them', async () => {
    const others = Promise.withResolvers<readonly Paced[]>();
    const run = edge(({ vpss }) => (vpss[0]?.address === 'b' ? Promise.reject(new Error('b')) : others.promise));
    let ended = false;
    const running = runPaced(PLAN, LIMITS, run).finally(() => (ended = true));
    const failed = expect(running).rejects.toThrow('b');
    while (run.begun.length < 2) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    others.resolve([]);
    await failed;
    expect(run.begun).toEqual(['a', 'b']);
  });
});
