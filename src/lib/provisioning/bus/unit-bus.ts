import { cleanRemoteText } from '../../facts/remote-text.ts';
import { isKnownState, type UnitFacts } from '../../facts/unit-state.ts';
import { readUnitFacts } from '../rules/unit-facts.ts';
import type { SSHCommandError } from '../ssh-failure.ts';
import type { SSHSession } from '../ssh-session.ts';
import { BusConnection, BusRefusal, type BusCall, type BusPatience } from './bus-connection.ts';
import { isVariant, type BusValue } from './rules/bus-value.ts';
import { Jobs } from './jobs.ts';
import type { BusMessage } from './rules/message.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER_PATH = '/org/freedesktop/systemd1';
const UNIT = `${SYSTEMD}.Unit`;
const SERVICE = `${SYSTEMD}.Service`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';
/** Without one of these at its end, systemctl(1) takes a name for that of a service. */
const UNIT_TYPES = /\.(?:service|socket|device|mount|automount|swap|target|timer|path|slice|scope)$/;
/**
 * What is read of a unit that is not active; each with the interface that has it. The same as `UNIT_PROPERTIES`, and how
 * the main process ended.
 */
const TOLD = [
  ['LoadState', UNIT],
  ['ActiveState', UNIT],
  ['SubState', UNIT],
  ['Result', SERVICE],
  ['ExecMainCode', SERVICE],
  ['ExecMainStatus', SERVICE],
  ['NRestarts', SERVICE],
  ['InvocationID', UNIT],
  ['TimeoutStartUSec', SERVICE],
  ['InactiveExitTimestampMonotonic', UNIT],
  ['StateChangeTimestampMonotonic', UNIT],
] as const;
const LONGEST_VALUE = 40;

export type BusLook = {
  readonly activeState: string;
  /** Null where it is active, or where nothing more was told. */
  readonly unit: UnitFacts | null;
  /** The same as it was told, in clean lines like those of `systemctl show`; empty where nothing more was. */
  readonly text: string;
};

/** One run of a unit, and how often systemd has started it again by itself since somebody else did. */
export type UnitLife = { readonly invocationId: string; readonly restarts: number };

export type UnitListener = {
  /** The unit has entered this state; nothing is known about how it came to it. A hint: whoever acts looks first. */
  readonly onState: (activeState: string) => void;
  readonly onEnd: (why: SSHCommandError) => void;
};

/**
 * One unit of a host, seen and started over the bus of its service manager. Reading needs no right there; starting needs
 * root, or a rule of polkit. Rejects with `SSHCommandError` when the connection has ended, and with `BusRefusal` when
 * systemd says no. Source: org.freedesktop.systemd1(5).
 */
export class UnitBus {
  readonly #bus: BusConnection;
  /** As systemd calls it, which may differ from the name that was asked for. */
  readonly #id: string;
  readonly #path: string;
  /** The connection of systemd on the bus: whoever else says something about the unit makes it up. */
  readonly #owner: string;
  readonly #jobs: Jobs;
  #lastNewsAt: Date | null = null;
  #roundTripMs: number | null = null;

  private constructor(bus: BusConnection, { id, path, owner, jobs }: UnitIdentity) {
    this.#bus = bus;
    this.#id = id;
    this.#path = path;
    this.#owner = owner;
    this.#jobs = jobs;
  }

  /** `service` is a unit name that matches `UNIT_NAME`. Each step has `timeoutMs`. */
  static async open(
    session: SSHSession,
    service: string,
    { listener, ...patience }: BusPatience & { readonly listener: UnitListener },
  ): Promise<UnitBus> {
    const jobs = new Jobs();
    let unit: UnitBus | null = null;
    const onSignal = (message: BusMessage): void => {
      if (unit !== null) unit.#onSignal(message, listener);
    };
    const onEnd = (why: SSHCommandError): void => {
      jobs.onEnd(why);
      listener.onEnd(why);
    };
    const bus = await BusConnection.open(session, { onSignal, onEnd }, patience);
    const name = UNIT_TYPES.test(service) ? service : `${service}.service`;
    const loaded = await bus.call(manager('LoadUnit', 's', [name]), patience);
    const path = textOf(loaded.body[0]);
    const owner = loaded.sender ?? '';
    const id = textOf(valueOf((await bus.call(getProperty(path, UNIT, 'Id'), patience)).body[0]));
    unit = new UnitBus(bus, { id, path, owner, jobs });
    const from = `type='signal',sender='${SYSTEMD}'`;
    await Promise.all([
      bus.call(
        addMatch(`${from},interface='${PROPERTIES}',member='PropertiesChanged',path='${path}',arg0='${UNIT}'`),
        patience,
      ),
      bus.call(addMatch(`${from},interface='${SYSTEMD}.Manager',member='JobRemoved',arg2='${quotable(id)}'`), patience),
      bus.call(manager('Subscribe'), patience),
    ]);
    return unit;
  }

  get isOpen(): boolean {
    return this.#bus.isOpen;
  }

  /** When it was last heard that the unit had changed. */
  get lastNewsAt(): Date | null {
    return this.#lastNewsAt;
  }

  /** How long the last call that was answered took, with all that was waited for on the way. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** How the unit is and, where it is not up, what there is to know of it. */
  async look(patience: BusPatience): Promise<BusLook> {
    const state = wordOf(await this.#get(UNIT, 'ActiveState', patience));
    if (state === 'active' || !isKnownState(state)) return { activeState: state, unit: null, text: '' };
    const told = await Promise.all(
      TOLD.map(async ([name, of]) => [name, wordOf(await this.#find(of, name, patience), name)] as const),
    );
    // As it was with the rest of it, which is a moment later.
    const activeState = told.find(([name]) => name === 'ActiveState')?.[1] ?? '';
    if (activeState === 'active' || !isKnownState(activeState)) return { activeState, unit: null, text: '' };
    const text = told.map(([name, value]) => `${name}=${value}\n`).join('');
    // The bus tells when, by the host's clock since boot, and not what that clock says now: ages are not known.
    return { activeState, unit: readUnitFacts(text), text };
  }

  /** Which run of the unit this is. After news it tells whether systemd has started the unit again by itself. */
  async life(patience: BusPatience): Promise<UnitLife> {
    const [id, restarts] = await Promise.all([
      this.#get(UNIT, 'InvocationID', patience),
      this.#find(SERVICE, 'NRestarts', patience),
    ]);
    return {
      invocationId: wordOf(id),
      restarts: typeof restarts === 'number' ? restarts : 0,
    };
  }

  /**
   * Starts the unit and waits for the end of that job: the word for it; null while it goes on. A unit that is active
   * already is not touched, so that an order that comes late or twice does no harm. Words: `done`, where it worked;
   * `failed`, `timeout`, `canceled` (by another order), `dependency`, `skipped` (there was nothing to do), `invalid`,
   * `assert`, `unsupported`, `collected`, `once`. Source: org.freedesktop.systemd1(5), `JobRemoved`.
   */
  start(patience: BusPatience): Promise<string | null> {
    return this.#order('StartUnit', patience);
  }

  /** The same for a unit that may be active and is ended then. */
  restart(patience: BusPatience): Promise<string | null> {
    return this.#order('RestartUnit', patience);
  }

  /** Forgives systemd's own start limit. */
  async resetFailed(patience: BusPatience): Promise<void> {
    await this.#ask(manager('ResetFailedUnit', 's', [this.#id]), patience);
  }

  async #order(member: string, patience: BusPatience): Promise<string | null> {
    this.#jobs.forget();
    const dueAt = performance.now() + patience.timeoutMs;
    const { body } = await this.#ask(manager(member, 'ss', [this.#id, 'replace']), patience);
    return this.#jobs.endOf(textOf(body[0]), { ...patience, timeoutMs: dueAt - performance.now() });
  }

  /** Nothing where the unit has no such property: one that is no service has no result. */
  async #find(of: string, property: string, patience: BusPatience): Promise<BusValue | undefined> {
    return this.#get(of, property, patience).catch(nothingWhereRefused);
  }

  async #get(of: string, property: string, patience: BusPatience): Promise<BusValue | undefined> {
    return valueOf((await this.#ask(getProperty(this.#path, of, property), patience)).body[0]);
  }

  async #ask(call: BusCall, patience: BusPatience): Promise<BusMessage> {
    const askedAt = performance.now();
    const reply = await this.#bus.call(call, patience);
    this.#roundTripMs = performance.now() - askedAt;
    // Of a manager that has taken the place of the other, no news would come.
    if (reply.sender !== this.#owner) this.#bus.fail('reset', 'the service manager has left the bus and come back');
    return reply;
  }

  #onSignal({ sender, path, member, body }: BusMessage, listener: UnitListener): void {
    if (sender !== this.#owner) return;
    if (member === 'JobRemoved') this.#jobs.onRemoved(textOf(body[1]), textOf(body[3]));
    if (member !== 'PropertiesChanged' || path !== this.#path) return;
    const [, changed] = body;
    const state =
      changed instanceof Map ? textOf(valueOf((changed as ReadonlyMap<BusValue, BusValue>).get('ActiveState'))) : '';
    this.#lastNewsAt = new Date();
    if (isKnownState(state)) listener.onState(state);
  }
}

type UnitIdentity = { readonly id: string; readonly path: string; readonly owner: string; readonly jobs: Jobs };

const manager = (member: string, signature = '', body: readonly BusValue[] = []): BusCall => ({
  destination: SYSTEMD,
  path: MANAGER_PATH,
  interface: `${SYSTEMD}.Manager`,
  member,
  signature,
  body,
});

const getProperty = (path: string, of: string, property: string): BusCall => ({
  destination: SYSTEMD,
  path,
  interface: PROPERTIES,
  member: 'Get',
  signature: 'ss',
  body: [of, property],
});

const addMatch = (rule: string): BusCall => ({
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'AddMatch',
  signature: 's',
  body: [rule],
});

/** No unit has such a name, but a host can say so. */
const quotable = (id: string): string => id.replaceAll("'", '');

const textOf = (value: BusValue | undefined): string => (typeof value === 'string' ? value : '');
const valueOf = (value: BusValue | undefined): BusValue | undefined => (isVariant(value) ? value.value : undefined);

function nothingWhereRefused(error: unknown): undefined {
  if (!(error instanceof BusRefusal)) throw error;
}

const NO_LIMIT = 0xffff_ffff_ffff_ffffn;

/** As `systemctl show` prints it, on one clean line: an id in hexadecimal digits, a span of time with its unit. */
function wordOf(value: BusValue | undefined, property = ''): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex', 0, LONGEST_VALUE / 2);
  if (property.endsWith('USec') && typeof value === 'bigint')
    return value === NO_LIMIT ? 'infinity' : `${Number(value) / 1_000_000}s`;
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint';
  return isPlain ? cleanRemoteText(String(value), LONGEST_VALUE) : '';
}
