import { and, eq, inArray } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, journalName, type Actor } from '../auth/actor.ts';
import { DecryptionError, decryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { chunksOf } from '../db/chunks.ts';
import { write, type Transaction } from '../db/client.ts';
import { noteAdminActions } from '../db/journal-store.ts';
import { maintenanceWindows, notificationTargets, subscriptions, users } from '../db/schema.ts';
import { windowKey, type FleetChange, type FleetPlan, type PlannedWindow } from '../facts/fleet-change.ts';
import type { ChannelName } from '../facts/message.ts';
import type { FileProblem } from '../fleet-files/fleet-entry.ts';
import { publish } from '../live/bus.ts';
import { addWindows } from '../monitoring/maintenance-store.ts';
import { changePreferenceIn } from '../notifications/preferences.ts';
import { inTerminal } from '../parsing/problems.ts';
import { makePrivateKey, parsePrivateKey, tidyPrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import { editVpsIn } from './edit-vps.ts';
import { addVpssIn, pinIn, removeVpsIn } from './fleet-admin.ts';
import { readFleetState, type FleetState, type StateVps } from './fleet-state.ts';
import { refuseForbiddenAddress } from './address-check.ts';
import { GENERATED_KEY, NO_KEY, SHARED_KEY, type KeyFor } from './import-entries.ts';
import type { LoginKey } from './new-vps.ts';
import type { WantedFleet, WantedVps } from './read-document.ts';
import { diffFleet, labelsAfter } from './rules/fleet-diff.ts';
import { RefusedError } from './the-vps.ts';

/** What a file wants, with the keys that it names, as they are stored. */
export type Wanted = {
  readonly fleet: WantedFleet;
  readonly keys: ReadonlyMap<string, string>;
  readonly prune: boolean;
};

/** Reads the keys that a file names, each once; or says in which lines one is named that cannot be used. */
export function readKeys(
  { vps }: WantedFleet,
  keyFor: KeyFor,
): { readonly keys: ReadonlyMap<string, string> } | { readonly problems: readonly FileProblem[] } {
  const keys = new Map<string, string>();
  const problems = new Map<string, FileProblem>();
  for (const { line, keyFile } of vps) {
    if (keyFile === null || WORDS.includes(keyFile) || keys.has(keyFile) || problems.has(keyFile)) continue;
    const key = keyFor(keyFile);
    const tidy = 'problem' in key ? key : tidied(key.text ?? '');
    if ('problem' in tidy)
      problems.set(keyFile, { line, reason: 'problem' in key ? tidy.problem : `the key ${keyFile}: ${tidy.problem}` });
    else keys.set(keyFile, tidy.text);
  }
  return problems.size > 0 ? { problems: [...problems.values()] } : { keys };
}

/** What may stand in the place of a path. */
/** What is still to be done there before it can be tried. */
const UNTRIED: Readonly<Record<string, string>> = {
  [GENERATED_KEY]: 'Its key has just been made: nothing was tried yet.',
  [NO_KEY]: 'It has to trust the certificates of this fleet first: nothing was tried yet.',
};

function toKeyOf(keyFile: string | null): LoginKey {
  if (keyFile === SHARED_KEY) return 'shared';
  return keyFile === NO_KEY ? 'certificate' : 'own';
}

const WORDS: readonly string[] = [SHARED_KEY, GENERATED_KEY, NO_KEY];

function tidied(text: string): { readonly text: string } | { readonly problem: string } {
  try {
    parsePrivateKey(text);
    return { text: tidyPrivateKey(text) };
  } catch (error) {
    if (error instanceof SSHCommandError) return { problem: error.message };
    throw error;
  }
}

/** What would make the fleet what the file says. Changes nothing. Throws `RefusedError` where that cannot be. */
export function planFleet(app: App, wanted: Wanted, now: Date): FleetPlan {
  const state = readFleetState(app.db, now);
  refuseWithoutKey(state, wanted.fleet);
  return planOf(app, state, wanted);
}

function planOf(app: Pick<App, 'encryptionKey'>, state: FleetState, { fleet, keys, prune }: Wanted): FleetPlan {
  const own = new Map(state.vps.map((vps) => [vps.email, vps]));
  const otherKey = new Set<string>();
  for (const { email, keyFile } of fleet.vps) {
    const now = own.get(email);
    const key = keyFile === null ? undefined : keys.get(keyFile);
    if (now && key !== undefined && !isStored(app, now, key)) otherKey.add(email);
    if (now && keyFile === SHARED_KEY && !now.sharesKey) otherKey.add(email);
    if (now && keyFile === NO_KEY && !now.byCertificate) otherKey.add(email);
  }
  return diffFleet(state, fleet, { prune, otherKey });
}

function isStored({ encryptionKey }: Pick<App, 'encryptionKey'>, { id, key }: StateVps, text: string): boolean {
  try {
    return key !== null && decryptToken(key, privateKeyPlace(id), encryptionKey) === text;
  } catch (error) {
    if (error instanceof DecryptionError) return false;
    throw error;
  }
}

function refuseWithoutKey(state: FleetState, { vps }: WantedFleet): void {
  const known = new Set(state.vps.map(({ email }) => email));
  const without = vps.filter(({ email, keyFile }) => keyFile === null && !known.has(email));
  const [first] = without;
  if (first)
    throw new RefusedError(
      `line ${first.line}: ${first.host} is new and needs a key: write "key: FILE" there, or under "defaults"${without.length > 1 ? ` (and ${without.length - 1} more)` : ''}`,
    );
}

/**
 * Makes the fleet what the file says, all of it in one transaction. Throws `RefusedError` where the fleet is not what the
 * `plan` was made for any more, or where something cannot be done; nothing has changed then.
 */
export async function applyFleet(app: App, actor: Actor, wanted: Wanted, plan: FleetPlan): Promise<void> {
  adminName(actor);
  await refuseForbidden(app, wanted.fleet, plan);
  await write(app.db, (tx) => {
    const now = new Date();
    const state = readFleetState(tx, now);
    if (JSON.stringify(planOf(app, state, wanted).changes) !== JSON.stringify(plan.changes))
      throw new RefusedError(
        'nothing was changed, as the fleet has changed since this was planned: look at it once more',
      );
    new Work(tx, app, actor, { state, wanted, now }).run(plan.changes);
    publish(tx, { kind: 'all' });
  });
}

/** How many hosts are looked up at the same time. */
const LOOKED_UP_AT_ONCE = 32;

/** Throws `RefusedError` for the first host that may not be dialled, of those that are new. */
async function refuseForbidden(app: App, { vps }: WantedFleet, { changes }: FleetPlan): Promise<void> {
  const isNew = (change: FleetChange): boolean =>
    change.kind === 'add_vps' || (change.kind === 'change_vps' && change.fields.some(({ field }) => field === 'host'));
  const emails = new Set(changes.filter(isNew).map((change) => change.email));
  for (const chunk of chunksOf(
    vps.filter(({ email }) => emails.has(email)),
    LOOKED_UP_AT_ONCE,
  ))
    await Promise.all(
      chunk.map(async ({ line, host }) => {
        try {
          await refuseForbiddenAddress(app, host);
        } catch (problem) {
          throw problem instanceof RefusedError ? new RefusedError(`line ${line}: ${problem.message}`) : problem;
        }
      }),
    );
}

type Around = { readonly state: FleetState; readonly wanted: Wanted; readonly now: Date };

class Work {
  readonly #tx: Transaction;
  readonly #app: App;
  readonly #actor: Actor;
  readonly #around: Around;
  readonly #vps: ReadonlyMap<string, StateVps>;
  readonly #wanted: ReadonlyMap<string, WantedVps>;

  constructor(tx: Transaction, app: App, actor: Actor, around: Around) {
    this.#tx = tx;
    this.#app = app;
    this.#actor = actor;
    this.#around = around;
    this.#vps = new Map(around.state.vps.map((vps) => [vps.email, vps]));
    this.#wanted = new Map(around.wanted.fleet.vps.map((vps) => [vps.email, vps]));
  }

  /** What goes first, so that an address is free for whoever gets it; what is new at once, as it may be thousands. */
  run(changes: readonly FleetChange[]): void {
    const all = <Kind extends FleetChange['kind']>(kind: Kind) =>
      changes.filter((change): change is Extract<FleetChange, { kind: Kind }> => change.kind === kind);
    for (const { email } of all('remove_vps')) removeVpsIn(this.#tx, this.#actor, this.#known(email).id);
    for (const { email, window } of all('remove_window')) this.#removeWindow(email, window);
    for (const { email, channel } of all('remove_route')) this.#removeRoute(email, channel);
    for (const { email } of all('change_vps')) this.#change(email);
    for (const chunk of chunksOf(all('add_customer')))
      this.#tx
        .insert(users)
        .values(chunk.map(({ email, name }) => ({ email, name })))
        .run();
    for (const { email, fields } of all('rename_customer')) this.#rename(email, fields[0]?.to ?? null);
    this.#add(all('add_vps').map(({ email }) => email));
    this.#addWindows(all('add_window'));
    for (const { email, channel } of all('set_route')) this.#setRoute(email, channel);
  }

  #known(email: string): StateVps {
    const vps = this.#vps.get(email);
    if (!vps) throw new Error(`there is no VPS of ${email}`);
    return vps;
  }

  #keyOf(keyFile: string | null): string | null {
    return keyFile === null ? null : (this.#around.wanted.keys.get(keyFile) ?? null);
  }

  #wantedOf(email: string): WantedVps {
    const vps = this.#wanted.get(email);
    if (!vps) throw new Error(`no VPS of ${email} is wanted`);
    return vps;
  }

  #rename(email: string, name: string | null): void {
    this.#tx.update(users).set({ name }).where(eq(users.email, email)).run();
  }

  #add(emails: readonly string[]): void {
    const toAdd = emails.map((email) => {
      const { line, keyFile, ...vps } = this.#wantedOf(email);
      const privateKey = keyFile === GENERATED_KEY ? makePrivateKey() : this.#keyOf(keyFile);
      if (privateKey === null && keyFile !== SHARED_KEY && keyFile !== NO_KEY)
        throw new RefusedError(`line ${line}: ${vps.host} is new and needs a key`);
      const byCertificate = keyFile === NO_KEY;
      const notReadyWhy = keyFile === null ? null : (UNTRIED[keyFile] ?? null);
      return { line, notReadyWhy, vps: { ...vps, labels: [...vps.labels], privateKey, byCertificate } };
    });
    addVpssIn(this.#tx, this.#app, this.#actor, toAdd);
    // A customer who was here before keeps the name when a machine is added; a file says what it is to be.
    for (const { vps } of toAdd) {
      const before = this.#around.state.users.get(vps.email);
      if (before && vps.name !== null && before.name !== vps.name) this.#rename(vps.email, vps.name);
    }
  }

  #change(email: string): void {
    const vps = this.#wantedOf(email);
    const now = this.#known(email);
    const key = this.#keyOf(vps.keyFile);
    const privateKey = key !== null && !isStored(this.#app, now, key) ? key : null;
    const labels = labelsAfter(now.labels, vps.labels, this.#around.wanted.prune);
    const said = { name: vps.name ?? now.name, note: vps.note ?? now.note };
    const edit = { ...vps, ...said, labels, privateKey, toKey: toKeyOf(vps.keyFile) };
    try {
      editVpsIn(this.#tx, this.#app, this.#actor, { id: now.id, edit });
    } catch (problem) {
      throw problem instanceof RefusedError ? new RefusedError(`line ${vps.line}: ${problem.message}`) : problem;
    }
    const isMoved = now.host !== vps.host || now.port !== vps.port;
    if (vps.hostKey !== null && (isMoved || vps.hostKey !== now.hostKey))
      pinIn(this.#tx, this.#actor, now, vps.hostKey);
  }

  #addWindows(planned: readonly { readonly email: string; readonly window: PlannedWindow }[]): void {
    const whose = new Map<string, { readonly userId: string; readonly vpsId: string }>();
    for (const chunk of chunksOf(planned))
      for (const { email, userId, vpsId } of this.#tx
        .select({ email: users.email, userId: users.id, vpsId: subscriptions.id })
        .from(subscriptions)
        .innerJoin(users, eq(users.id, subscriptions.userId))
        .where(
          inArray(
            users.email,
            chunk.map(({ email }) => email),
          ),
        )
        .all())
        whose.set(email, { userId, vpsId });
    const createdBy = journalName(this.#actor);
    const rows = planned.flatMap(({ email, window }) => {
      const vps = whose.get(email);
      return vps ? [{ vps, window }] : [];
    });
    addWindows(
      this.#tx,
      rows.map(({ vps: { userId }, window }) => {
        const times =
          window.kind === 'once'
            ? { ...NOT_WEEKLY, ...window }
            : { ...window, startsAt: this.#around.now, endsAt: null };
        return { ...times, userId, endedOccurrence: null, createdBy };
      }),
    );
    noteAdminActions(
      this.#tx,
      createdBy,
      rows.map(({ vps, window: { kind, reason } }) => ({
        vps,
        action: 'maintenance_planned',
        detail: { kind, reason },
      })),
    );
  }

  #removeWindow(email: string, window: PlannedWindow): void {
    const { id: vpsId, windows, userId } = this.#known(email);
    for (const { id } of windows.filter((one) => windowKey(one.window) === windowKey(window)))
      this.#tx.delete(maintenanceWindows).where(eq(maintenanceWindows.id, id)).run();
    noteAdminActions(this.#tx, journalName(this.#actor), [
      { vps: { userId, vpsId }, action: 'maintenance_cancelled', detail: {} },
    ]);
  }

  #setRoute(email: string, channel: ChannelName): void {
    const route = this.#around.wanted.fleet.routes?.find((one) => one.email === email && one.channel === channel);
    const user = this.#tx.select().from(users).where(eq(users.email, email)).get();
    const at = `line ${route?.line}: `;
    if (!route || !user) throw new RefusedError(`${at}there is no user ${email}`);
    const { enabled, kinds, address } = route;
    const change = { enabled, kinds, address };
    const result = changePreferenceIn(this.#tx, this.#app, this.#actor, { user, channel, change });
    if ('problems' in result) throw new RefusedError(at + inTerminal(result.problems).join('; '));
  }

  #removeRoute(email: string, channel: ChannelName): void {
    const route = this.#around.state.routes.find((one) => one.email === email && one.channel === channel);
    const mine = and(eq(notificationTargets.userId, route?.userId ?? ''), eq(notificationTargets.channel, channel));
    this.#tx.delete(notificationTargets).where(mine).run();
  }
}

const NOT_WEEKLY = { weekday: null, startMinute: null, durationMinutes: null, timeZone: null };
