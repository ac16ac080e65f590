import { partOf, type App } from '../app.ts';
import type { Settings } from '../config.ts';
import { intervalOf } from '../schedule.ts';
import type { DueVps } from './fleet.ts';
import { planBatches, type Batch, type Paced, type PaceLimits } from './rules/pace.ts';
import type { RoundRules } from './rules/round.ts';

/**
 * How long the last look of this process at each VPS took, whatever came of it. Where this process stood still meanwhile
 * that says nothing of the VPS: no more than a look can take.
 */
const lookTimesOf = (app: App): Map<string, number> => partOf(app, 'look times', () => new Map<string, number>());

export const noteLookTime = (app: App, { subscription }: DueVps, tookMs: number): void =>
  void lookTimesOf(app).set(subscription.id, Math.min(tookMs, longestLookMs(app.settings)));

const longestLookMs = ({ connectTimeoutMs, commandTimeoutMs }: Settings): number => connectTimeoutMs + commandTimeoutMs;

export type PacedVps = Paced & { readonly vps: DueVps };

/** The batches in which these VPSs are looked at. */
export function planOf(app: App, due: readonly DueVps[], limits: PaceLimits): Batch<PacedVps>[] {
  const times = lookTimesOf(app);
  const expectedMs = (vps: DueVps): number => times.get(vps.subscription.id) ?? expectedOf(vps, limits);
  return planBatches(
    due.map((vps) => pacedOf(vps, expectedMs(vps))),
    limits,
  );
}

export const pacedOf = (vps: DueVps, expectedMs: number): PacedVps => ({
  vps,
  address: `${vps.subscription.vpsIpAddress} ${vps.subscription.sshPort}`,
  lookedAt: vps.state.lastCheckAt,
  expectedMs,
});

const UNKNOWN_MS = 1_000;

/** As far as the last look tells that another process may have had. */
const expectedOf = ({ state }: DueVps, { connectTimeoutMs }: PaceLimits): number =>
  state.reachable === false ? connectTimeoutMs : (state.lastProbeMs ?? UNKNOWN_MS);

/** What a round may use. Only the next sweep is in a hurry to begin. */
export const limitsOf = (
  { batchSize, maxSockets, connectTimeoutMs, healthCheckCron }: Settings,
  kind: RoundRules['kind'],
): PaceLimits => ({
  batchSize,
  maxSockets,
  connectTimeoutMs,
  intervalMs: intervalOf(healthCheckCron),
  isDueToEnd: kind === 'sweep',
});
