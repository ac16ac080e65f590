import type { App } from '../app.ts';
import type { Tenure } from '../db/lease.ts';
import type { Log } from '../log.ts';
import { count } from '../metrics/counting.ts';
import type { VpsLink } from '../provisioning/vps-link.ts';
import type { RestartOutcome } from '../provisioning/vps-status.ts';
import { listActive } from './fleet.ts';
import type { CheckRecord, LookRecord, Recorded } from './health-store.ts';
import { linksOf } from './links.ts';
import { isStale, lookAtVps, type Look } from './look.ts';
import { recordRequestedRestart, recordRestartIntent, type Evidence } from './restart-intent.ts';
import type { HealingDecision } from './rules/healing.ts';
import { attemptingRestart } from './rules/log-lines.ts';
import type { Step } from './rules/round.ts';
import type { Verdict } from './rules/verdict.ts';
import type { StallWatch } from './stall-watch.ts';
import { isSameLogin, targetOf } from './vps-target.ts';

/** Ends what is under way when the monitor stops: looking at once, a restart only after some patience. */
export type StopSignals = { readonly probes: AbortSignal; readonly restarts: AbortSignal };

export type CarryOutContext = {
  readonly tenure: Tenure;
  readonly stop: StopSignals;
  readonly stalls: StallWatch;
  readonly log: Log;
};

/** What came of a step. */
export type Outcome = {
  /** What was written on the way. */
  readonly recorded: Recorded | null;
  /** What is still to be written. */
  readonly record: CheckRecord | null;
};

const NOTHING: Outcome = { recorded: null, record: null };

/** The look as it is written down, with what is done about it. */
export const toRecord = (look: Look, healing: HealingDecision): LookRecord => ({
  ...subjectOf(look),
  kind: 'look',
  check: { ...look.check, healing },
  hostKey: look.hostKey,
  link: look.link?.facts ?? null,
});

const subjectOf = ({ vps: { subscription } }: Look) => ({
  userId: subscription.userId,
  subscriptionId: subscription.id,
  target: targetOf(subscription),
});

const none = (reason: Extract<HealingDecision, { action: 'none' }>['reason']): HealingDecision => ({
  action: 'none',
  reason,
});

const DOUBTED: Verdict = {
  kind: 'inconclusive',
  cause: 'outage',
  message: 'much of the fleet became unreachable at once, so this says nothing about a single VPS',
};

/** What a step that sends nothing leaves to be written. */
export function recordOf(step: Exclude<Step<Look>, { do: 'heal' | 'restart' }>): CheckRecord | null {
  switch (step.do) {
    case 'record':
    case 'withhold':
      return toRecord(step.look, none(step.reason));
    case 'doubt':
      return toRecord({ ...step.look, check: { ...step.look.check, verdict: DOUBTED } }, none('not_called_for'));
    case 'drop':
      return null;
  }
}

/** Between the intent and the order: whatever was seen is a rumour by now. */
const STOOD_STILL: RestartOutcome = {
  outcome: 'not_sent',
  code: 'stalled',
  message: 'the restart was not sent: the monitor stood still after it had decided',
};

type Linked = Look & { readonly link: VpsLink };

/**
 * Restarts the service of a VPS for which that is called for, over the link of the look, and gives that back. A look
 * that has grown old is not acted on: the VPS is looked at again first, and what that finds is all that counts.
 */
export const heal = (app: App, seen: Linked, context: CarryOutContext): Promise<Outcome> =>
  healSeen(app, seen, context).finally(() => giveBack(app, seen));

/** Ends the use of the link of a look. */
export const giveBack = (app: App, { vps, link }: Pick<Linked, 'vps' | 'link'>): Promise<void> =>
  linksOf(app).giveBack(vps.subscription.id, link);

async function healSeen(app: App, seen: Linked, context: CarryOutContext): Promise<Outcome> {
  const { stop, stalls, log } = context;
  if (stop.probes.aborted) return NOTHING;
  const evidence = await readEvidence(seen, stop);
  const look = isStale(seen, stalls) ? await lookAgain(app, seen, context) : seen;
  // A stopping monitor begins no restart.
  if (look === null || stop.probes.aborted) return NOTHING;
  if (look.decision.action !== 'restart' || look.link === null)
    return { recorded: null, record: toRecord(look, asDecided(look)) };

  const { link } = look;
  const { trial } = look.decision;
  const record = toRecord(look, look.decision);
  const { restartId, recorded } = await recordRestartIntent(app.db, record, evidence, intentOf(app, context));
  if (restartId === null || recorded === null) return { recorded, record: null };
  log.info(attemptingRestart(record.userId, recorded.next, trial));
  const outcome = await counted(app, 'monitor', async () =>
    isStale(look, stalls)
      ? STOOD_STILL
      : link.heal({
          // systemd's own start limit is a protection: only the one trial per cooldown may lift it.
          resetFailed: trial,
          before: look.unit,
          // What hangs half-way is not down: a start would wait for that.
          force: isHanging(look),
          signal: stop.restarts,
        }),
  );
  const end = { at: new Date(), outcome, trial, requested: false };
  return { recorded, record: { ...subjectOf(look), kind: 'restart', restartId, end } };
}

/**
 * Restarts the service because an admin has asked for it (`restartId` in the ledger), whatever the look has found; SSH
 * has to work. Gives the link of the look back.
 */
export const restartOnRequest = (
  app: App,
  look: Linked,
  restartId: string,
  context: CarryOutContext,
): Promise<Outcome> => restartSeen(app, look, restartId, context).finally(() => giveBack(app, look));

async function restartSeen(app: App, look: Linked, restartId: string, context: CarryOutContext): Promise<Outcome> {
  const { stop, log } = context;
  const evidence = await readEvidence(look, stop);
  const order = { restartId, look: toRecord(look, none('on_request')) };
  const recorded = await recordRequestedRestart(app.db, order, evidence, intentOf(app, context));
  if (recorded === null) return NOTHING;
  log.info(`${recorded.userId}: an admin has asked for a restart, sending it`);
  // Whoever asks for it by hand means it: systemd's own start limit is lifted.
  const outcome = await counted(app, 'admin', () =>
    look.link.heal({ resetFailed: true, before: look.unit, force: true, signal: stop.restarts }),
  );
  const end = { at: new Date(), outcome, trial: true, requested: true };
  return { recorded, record: { ...subjectOf(look), kind: 'restart', restartId, end } };
}

async function counted(
  app: App,
  askedBy: 'monitor' | 'admin',
  restart: () => Promise<RestartOutcome>,
): Promise<RestartOutcome> {
  const beganAtMs = performance.now();
  const outcome = await restart();
  count(app, { kind: 'restart', outcome: outcome.outcome, askedBy, durationMs: performance.now() - beganAtMs });
  return outcome;
}

/**
 * Over the same link. Null: it is not watched any more, has been edited, or is silent now; the next sweep judges
 * that.
 */
async function lookAgain(app: App, { vps, link }: Linked, { stop, stalls }: CarryOutContext): Promise<Look | null> {
  const [now] = listActive(app.db, app.settings, [vps.subscription.id]);
  if (!now || !isSameLogin(now.subscription, vps.subscription, link.hostKey)) return null;
  const look = await lookAtVps(app, now, { signal: stop.probes, stalls, link });
  const { kind } = look.check.verdict;
  return kind === 'unreachable' || kind === 'inconclusive' ? null : look;
}

const isHanging = ({ check: { verdict } }: Look): boolean => verdict.kind === 'not_active' && verdict.transitional;

const asDecided = ({ decision }: Look): HealingDecision =>
  decision.action === 'none' ? decision : none('not_called_for');

const readEvidence = async ({ link, unitText }: Linked, { probes }: StopSignals): Promise<Evidence> => ({
  unitText,
  journal: await link.journalTail(probes),
});

const intentOf = ({ settings }: App, { tenure }: CarryOutContext) => ({ tenure, settings });
