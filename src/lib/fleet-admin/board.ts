import { eq } from 'drizzle-orm';
import type { ParsedKey } from 'ssh2';
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
import { isCertificateLogin } from '../provisioning/ssh-session.ts';
import { recipeScript } from '../provisioning/rules/recipe.ts';
import type { Recipe } from '../provisioning/rules/rights.ts';
import type { VpsTarget } from '../provisioning/vps-connection.ts';
import { authorizeCommand, authorizedLine } from '../views/preflight-words.ts';
import { certificateLines, type CertificateLines } from './authority.ts';
import { addVps, refuseTaken } from './fleet-admin.ts';
import type { NewVps } from './new-vps.ts';
import { runPreflight, type PreflightReport, type Watcher } from './preflight.ts';
import { RefusedError, theVps } from './the-vps.ts';
import { targetOfNew } from './try-new-vps.ts';

export type Boarded = PreflightReport & {
  /** What was added; null: nothing was saved, as it did not pass. */
  readonly added: Awaited<ReturnType<typeof addVps>> | null;
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
  if (vps.byCertificate)
    throw new RefusedError('a VPS that is logged in to by certificate is added as not ready, and tried afterwards');
  const report = await runPreflight(app, targetOfNew(app, vps), watcher);
  if (!report.passed && !notReady) return { ...report, added: null };
  const notReadyWhy = whyNot(report);
  const added = await addVps(app, actor, { ...vps, hostKey: vps.hostKey ?? report.hostKey }, { notReadyWhy });
  return { ...report, added };
}

/** Why a VPS is not ready of which nothing was tried yet. */
export const NOT_TRIED = {
  generated: 'Its key has just been made: nothing was tried yet.',
  certificate: 'It has to be told to trust the certificates of this fleet: nothing was tried yet.',
} as const;

/** Adds a VPS of which nothing was tried, as its key or the authority has first to be put there. Throws `RefusedError` as `addVps` does. */
export const addNotReady = (app: App, actor: Actor, vps: NewVps, notReadyWhy: string): ReturnType<typeof addVps> =>
  addVps(app, actor, vps, { notReadyWhy });

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
  const report = await runPreflight(app, openOrRefuse(app, before), watcher);
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

/** Who gets the rights where it was root until now. */
const WARD = 'ward';

/**
 * The script of a recipe for this VPS: see `recipeScript`. `login`: another one than the VPS has now; root never gets one.
 * Throws as `loginLineOf` does.
 */
export function recipeOf(
  app: App,
  actor: Actor,
  id: string,
  { recipe, login }: { readonly recipe: Recipe; readonly login?: string | undefined },
): { readonly login: string; readonly script: string } {
  adminName(actor);
  const { username = 'root', service, ...target } = openOrRefuse(app, readVps(app, id));
  const named = login ?? (username === 'root' ? WARD : username);
  if (named === 'root') throw new RefusedError('root has every right: a recipe is for another login');
  return {
    login: named,
    script: recipeScript({ recipe, login: named, service, publicKey: publicHalf(keyOf(target)) }),
  };
}

function keyOf({ privateKey }: Pick<VpsTarget, 'privateKey'>): ParsedKey {
  if (isCertificateLogin(privateKey))
    throw new RefusedError('no key is stored that could be put there: it is logged in to by certificate');
  return typeof privateKey === 'string' ? parsePrivateKey(privateKey) : privateKey;
}

function openOrRefuse(app: App, vps: Subscription): VpsTarget {
  const target = openTarget(app, vps);
  if ('kind' in target) throw new RefusedError(target.message);
  return target;
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

/** What makes this VPS take the certificates of this fleet; null where it has a key. Throws as `certificateLines` does. */
export async function certificateLinesOf(app: App, actor: Actor, id: string): Promise<CertificateLines | null> {
  adminName(actor);
  const vps = readVps(app, id);
  return vps.sshLogin === 'certificate' ? certificateLines(app, actor, vps) : null;
}

/** How the login key of this VPS gets there. Throws `RefusedError` where there is no such VPS or key, and for customers. */
export function loginLineOf(app: App, actor: Actor, id: string): LoginLine {
  adminName(actor);
  const vps = readVps(app, id);
  const line = authorizedLine(publicHalf(keyOf(openOrRefuse(app, vps))));
  return { line, command: authorizeCommand(vps.sshUser, line) };
}
