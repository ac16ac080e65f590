import type { App } from '../app.ts';
import type { UnitFacts } from '../facts/unit-state.ts';
import { count } from '../metrics/counting.ts';
import type { VpsLink } from '../provisioning/vps-link.ts';
import type { DueVps } from './fleet.ts';
import { linksOf } from './links.ts';
import { decideHealing, type HealingDecision } from './rules/healing.ts';
import { maintenanceAt } from './rules/maintenance.ts';
import { startOf } from './rules/start-wait.ts';
import type { Check } from './rules/transition.ts';
import { judge, type Verdict } from './rules/verdict.ts';
import type { StallWatch } from './stall-watch.ts';

/** What a look at one VPS has found, before anything is done about it. */
export type Look = {
  readonly vps: DueVps;
  readonly check: Omit<Check, 'healing'>;
  /** When its answer came, by `performance.now()`: see `isStale`. */
  readonly answeredAtMs: number;
  /** How it was reached; still in use if a restart may follow. Null when it came to no login. */
  readonly link: VpsLink | null;
  readonly hostKey: string | null;
  readonly unitText: string;
  /** The same, read; null where nothing is known. */
  readonly unit: UnitFacts | null;
  /** What is called for and allowed for this VPS by itself; the round may hold it back. */
  readonly decision: HealingDecision;
};

type Watch = {
  readonly signal: AbortSignal;
  readonly stalls: StallWatch;
  /** Whether a restart follows whatever the look finds. */
  readonly isRestartOrdered?: boolean;
  /** To the same VPS, in use already. */
  readonly link?: VpsLink;
};

/** Nothing is done about a look that is older than this: the VPS is looked at again. */
const STALE_AFTER_MS = 5_000;

/** Whether this look says too little about now to act on it: it is old, or this process stood still since. */
export const isStale = ({ answeredAtMs }: Look, stalls: StallWatch): boolean =>
  performance.now() - answeredAtMs > STALE_AFTER_MS || stalls.stalledSince(answeredAtMs);

/**
 * Looks at one VPS and says what is called for. Changes nothing, there or here. Where a restart may follow, its link stays
 * in use, and whoever acts on the look gives it back.
 */
export async function lookAtVps(app: App, vps: DueVps, watch: Watch): Promise<Look> {
  const link = watch.link ?? linksOf(app).take(vps);
  if ('kind' in link) return unasked(app, vps, link);
  let goesOn = false;
  try {
    const look = await askTwice(app, vps, link, watch);
    goesOn = look.link !== null && (watch.isRestartOrdered === true || look.decision.action === 'restart');
    return look;
  } finally {
    if (!goesOn) await linksOf(app).giveBack(vps.subscription.id, link);
  }
}

/** An answer that was read after a standstill may have lain there all the while, and so may what comes over that link. */
async function askTwice(app: App, vps: DueVps, link: VpsLink, watch: Watch): Promise<Look> {
  const look = await askVps(app, vps, link, watch);
  if (look !== null) return look;
  await link.close();
  return (await askVps(app, vps, link, watch)) ?? unasked(app, vps, STALLED);
}

const STALLED: Verdict = {
  kind: 'inconclusive',
  cause: 'stalled',
  message: 'the monitor itself stood still meanwhile, so what it saw says nothing',
};

/** A look that asked nobody, or whose answers say nothing, through a fault of ours. */
function unasked(app: App, vps: DueVps, verdict: Verdict): Look {
  count(app, { kind: 'look', link: 'none', outcome: verdict.kind, durationMs: 0 });
  return lookOf(app, vps, { verdict });
}

/** Null: this process stood still in the middle of it. */
async function askVps(app: App, vps: DueVps, link: VpsLink, { signal, stalls }: Watch): Promise<Look | null> {
  const beganAtMs = performance.now();
  const { result, durationMs, hostKey, unitText, over } = await link.look(signal);
  if (stalls.stalledSince(beganAtMs)) return null;
  const unit = result.kind === 'state' ? result.unit : null;
  const before = { graceUsed: vps.state.transitionalSince !== null, start: startOf(vps.state) };
  const verdict = judge(result, before, new Date());
  count(app, { kind: 'look', link: over, outcome: verdict.kind, durationMs });
  if (hostKey === null) return lookOf(app, vps, { verdict });
  return lookOf(app, vps, { verdict, answer: { link, hostKey, unitText, unit, durationMs } });
}

type Answer = {
  readonly link: VpsLink;
  readonly hostKey: string;
  readonly unitText: string;
  readonly unit: UnitFacts | null;
  readonly durationMs: number;
};

function lookOf(
  app: App,
  vps: DueVps,
  { verdict, answer }: { readonly verdict: Verdict; readonly answer?: Answer },
): Look {
  const { subscription, state, windows, restarts } = vps;
  const now = new Date();
  const maintenance = maintenanceAt(windows, now) !== null;
  const facts = { now, restarts, maintenance, paused: subscription.healingPausedSince !== null };
  return {
    vps,
    check: { lookedAt: now, verdict, maintenance, probeMs: answer?.durationMs ?? null },
    answeredAtMs: performance.now(),
    link: answer?.link ?? null,
    hostKey: answer?.hostKey ?? null,
    unitText: answer?.unitText ?? '',
    unit: answer?.unit ?? null,
    decision: decideHealing(verdict, state, facts, app.settings),
  };
}
