import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { subscriptions, type Subscription } from '../db/schema.ts';
import { failedStep } from '../facts/preflight.ts';
import { publish } from '../live/bus.ts';
import { clearLoginBackoffIn } from '../monitoring/health-store.ts';
import { openTarget, targetOf } from '../monitoring/vps-target.ts';
import { parsePrivateKey, publicHalf } from '../provisioning/private-key.ts';
import { authorizeCommand, authorizedLine } from '../views/preflight-words.ts';
import { addVps, refuseTaken } from './fleet-admin.ts';
import type { NewVps } from './new-vps.ts';
import { runPreflight, type PreflightReport, type Watcher } from './preflight.ts';
import { RefusedError, theVps } from './the-vps.ts';
import { targetOfNew } from './try-new-vps.ts';

export type Boarded = PreflightReport & {
  /** What was added; null: nothing was saved, as it did not pass. */
  readonly added: { readonly id: string; readonly newCustomer: boolean } | null;
};

/**
 * Takes a VPS on board, and its customer if new, once its preflight has passed, with the key that the host has shown. One
 * that did not pass is saved only if `notReady` asks for that: it is listed, and not swept until `tryVps` has passed.
 * Throws `RefusedError` as `addVps` does, before anything is dialled.
 */
export async function boardVps(
  app: App,
  actor: Actor,
  vps: NewVps,
  { notReady, ...watcher }: Watcher & { readonly notReady: boolean },
): Promise<Boarded> {
  adminName(actor);
  refuseTaken(app.db, vps);
  const report = await runPreflight(app, targetOfNew(app, vps), watcher);
  if (!report.passed && !notReady) return { ...report, added: null };
  const notReadyWhy = whyNot(report);
  const added = await addVps(app, actor, { ...vps, hostKey: vps.hostKey ?? report.hostKey }, { notReadyWhy });
  return { ...report, added };
}

/** Adds a VPS of which nothing was tried, as its key has first to be put there. Throws `RefusedError` as `addVps` does. */
export const addNotReady = (
  app: App,
  actor: Actor,
  vps: NewVps,
  notReadyWhy: string,
): Promise<{ readonly id: string; readonly newCustomer: boolean }> => addVps(app, actor, vps, { notReadyWhy });

/** The step that failed, in a sentence; null where none did. */
const whyNot = ({ passed, outcomes }: PreflightReport): string | null =>
  passed ? null : (failedStep(outcomes)?.saw ?? 'The preflight was given up.');

/**
 * The preflight of a VPS that is there already. One that was not ready and passes is watched from then on. Throws
 * `RefusedError` where there is none, and for customers.
 */
export async function tryVps(app: App, actor: Actor, id: string, watcher: Watcher): Promise<PreflightReport> {
  const by = adminName(actor);
  const before = readVps(app, id);
  const target = openTarget(app, before);
  if ('kind' in target) throw new RefusedError(target.message);
  const report = await runPreflight(app, target, watcher);
  await write(app.db, (tx) => {
    const vps = theVps(tx, actor, id);
    if (targetOf(vps) !== targetOf(before)) throw new RefusedError('the VPS was changed meanwhile: try it again');
    const becomesReady = report.passed && vps.provisioningStatus === 'pending';
    tx.update(subscriptions)
      .set({
        notReadyWhy: vps.provisioningStatus === 'ready' ? null : whyNot(report),
        ...(becomesReady && { vpsProvisioned: true, provisioningStatus: 'ready' }),
        ...(report.passed && vps.sshHostKey === null && { sshHostKey: report.hostKey, sshHostKeyAt: new Date() }),
      })
      .where(eq(subscriptions.id, id))
      .run();
    if (report.hostKey !== null) clearLoginBackoffIn(tx, vps.userId);
    const detail = { passed: report.passed, ...(report.passed ? {} : { reason: whyNot(report) }) };
    noteAdminAction(tx, by, { userId: vps.userId, vpsId: id }, 'vps_tried', detail);
    publish(tx, becomesReady ? { kind: 'all' } : { kind: 'vps', vpsIds: [id] });
  });
  return report;
}

function readVps({ db }: App, id: string): Subscription {
  const vps = db.select().from(subscriptions).where(eq(subscriptions.id, id)).get();
  if (!vps) throw new RefusedError('there is no such VPS');
  return vps;
}

export type LoginLine = {
  /** For `authorized_keys`. */
  readonly line: string;
  /** What puts it there, typed in as root on the VPS. */
  readonly command: string;
};

/** How the login key of this VPS gets there. Throws `RefusedError` where there is no such VPS or key, and for customers. */
export function loginLineOf(app: App, actor: Actor, id: string): LoginLine {
  adminName(actor);
  const vps = readVps(app, id);
  const target = openTarget(app, vps);
  if ('kind' in target) throw new RefusedError(target.message);
  const key = typeof target.privateKey === 'string' ? parsePrivateKey(target.privateKey) : target.privateKey;
  const line = authorizedLine(publicHalf(key));
  return { line, command: authorizeCommand(vps.sshUser, line) };
}
