import { EventEmitter, once } from 'node:events';
import { cleanRemoteText } from '../../facts/remote-text.ts';
import { isKnownState, type UnitFacts } from '../../facts/unit-state.ts';
import { isNotAllowed } from '../rules/bus-answer.ts';
import { readUnitFacts } from '../rules/unit-facts.ts';
import type { SSHCommandError } from '../ssh-failure.ts';
import type { SSHSession } from '../ssh-session.ts';
import { AT_BUS, BUS, BusConnection, type BusPatience, BusRefusal, nothingWhereRefused } from './bus-connection.ts';
import type { BusCall, BusMessage } from './rules/message.ts';
import { isVariant, type BusValue } from './rules/values.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER = `${SYSTEMD}.Manager`;
const UNIT = `${SYSTEMD}.Unit`;
const SERVICE = `${SYSTEMD}.Service`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';
/** Without one of these at its end, systemctl(1) takes a name for that of a service. */
const UNIT_TYPES = /\.(?:service|socket|device|mount|automount|swap|target|timer|path|slice|scope)$/;
/** Another one with each change of the state. */
const SINCE = 'StateChangeTimestampMonotonic';
/** What is read of a unit that is not active: `UNIT_PROPERTIES`, and how the main process ended. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  [UNIT]: ['LoadState', 'ActiveState', 'SubState', 'InvocationID', 'InactiveExitTimestampMonotonic', SINCE],
  [SERVICE]: ['Result', 'ExecMainCode', 'ExecMainStatus', 'NRestarts', 'TimeoutStartUSec'],
};
export const ORDERS = ['StartUnit', 'RestartUnit', 'StopUnit'] as const;
/** The root of all slices, which is there and active on each machine, and cannot be stopped. */
export const OTHER_UNIT = '-.slice';
/** What systemd says of an order that is allowed and makes no sense. */
const NONSENSE = [
  'org.freedesktop.DBus.Error.InvalidArgs',
  'org.freedesktop.systemd1.NoIsolation',
  'org.freedesktop.systemd1.OnlyByDependency',
  'org.freedesktop.systemd1.JobTypeNotApplicable',
];
const LONGEST_VALUE = 40;
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
/** Ends of jobs that are remembered until the order that began them has been answered. */
const MOST_ENDS = 8;

export type BusLook = {
  readonly activeState: string;
  /** Null where it is active, or where nothing more was told. */
  readonly unit: UnitFacts | null;
  /** The same as it was told, in clean lines like those of `systemctl show`; empty where nothing more was. */
  readonly text: string;
};

export type UnitListener = {
  /** The unit has entered this state; nothing is known about how it came to it. A hint: whoever acts looks first. */
  readonly onState: (activeState: string) => void;
  readonly onEnd: (why: SSHCommandError) => void;
};

/** As systemd calls it, and the connection of systemd on the bus: whoever else says something about it makes it up. */
type Identity = { readonly id: string; readonly path: string; readonly owner: string };

/**
 * One unit of a host, seen and started over the bus of its service manager. Reading needs no right there; starting needs
 * root, or a rule of polkit. Rejects with `SSHCommandError` when the connection has ended, and with `BusRefusal` when
 * systemd says no. Source: org.freedesktop.systemd1(5).
 */
export class UnitBus {
  readonly #bus: BusConnection;
  readonly #identity: Identity;
  readonly #listener: UnitListener;
  /** Tells how a job ends, by its path. */
  readonly #jobs = new EventEmitter();
  readonly #ends = new Map<string, string>();
  /** The moment at which it entered the state that was told last. */
  #since = '';

  private constructor(bus: BusConnection, identity: Identity, listener: UnitListener) {
    this.#bus = bus;
    this.#identity = identity;
    this.#listener = listener;
  }

  /** `service` is a unit name that matches `UNIT_NAME`. Each step has `timeoutMs`. */
  static async open(
    session: SSHSession,
    service: string,
    { listener, ...patience }: BusPatience & { readonly listener: UnitListener },
  ): Promise<UnitBus> {
    let unit: UnitBus | null = null;
    const onSignal = (message: BusMessage): void => {
      if (unit !== null) unit.#onSignal(message);
    };
    const onEnd = (why: SSHCommandError): void => {
      // Whoever waits for a job waits for this, too; an error that nobody waits for is thrown.
      if (unit !== null && unit.#jobs.listenerCount('error') > 0) unit.#jobs.emit('error', why);
      listener.onEnd(why);
    };
    const bus = await BusConnection.open(session, { onSignal, onEnd }, patience);
    const name = UNIT_TYPES.test(service) ? service : `${service}.service`;
    const { sender: owner = '', body } = await bus.call(manager('LoadUnit', name), patience);
    const path = textOf(body[0]);
    const id = textOf(valueOf((await bus.call(getProperty(path, UNIT, 'Id'), patience)).body[0]));
    unit = new UnitBus(bus, { id, path, owner }, listener);
    // No unit has a quote in its name, but a host can say so.
    const from = `sender='${SYSTEMD}'`;
    const job = `interface='${MANAGER}',member='JobRemoved',arg2='${id.replaceAll("'", '')}'`;
    const change = `interface='${PROPERTIES}',member='PropertiesChanged',path='${path}',arg0='${UNIT}'`;
    const leaving = `sender='${BUS}',interface='${BUS}',member='NameOwnerChanged',arg0='${SYSTEMD}'`;
    const calls = [addMatch(`${from},${job}`), addMatch(`${from},${change}`), addMatch(leaving), manager('Subscribe')];
    await Promise.all(calls.map((call) => bus.call(call, patience)));
    return unit;
  }

  get isOpen(): boolean {
    return this.#bus.isOpen;
  }

  /** How the unit is and, where it is not up, what there is to know of it. */
  async look(patience: BusPatience): Promise<BusLook> {
    const first = wordOf(await this.#get(UNIT, 'ActiveState', patience));
    if (first === 'active' || !isKnownState(first)) return { activeState: first, unit: null, text: '' };
    const reads = Object.entries(TOLD).flatMap(([of, names]) => names.map((name) => this.#read(of, name, patience)));
    const told = new Map(await Promise.all(reads));
    // As it was with the rest of it, which is a moment later.
    const activeState = told.get('ActiveState') ?? '';
    if (activeState === 'active') return { activeState, unit: null, text: '' };
    this.#since = told.get(SINCE) ?? '';
    const text = [...told].map(([name, value]) => `${name}=${value}\n`).join('');
    // The bus tells when, by the host's clock since boot, and not what that clock says now: ages are not known.
    return { activeState, unit: readUnitFacts(text), text };
  }

  /** How often systemd has started it again by itself since somebody else did. */
  async selfRestarts(patience: BusPatience): Promise<number> {
    const restarts = await this.#get(SERVICE, 'NRestarts', patience).catch(nothingWhereRefused);
    return typeof restarts === 'number' ? restarts : 0;
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

  /**
   * Whether systemd would let this login give this order. It is asked in a form that systemd judges by the right to it and
   * then cannot carry out, as it makes no sense (mode `isolate`, which is for starts of units that say so): nothing is
   * changed, whatever the answer. Null where that cannot be told. Source: systemd, dbus-unit.c, `bus_unit_queue_job`.
   */
  async mayOrder(
    member: (typeof ORDERS)[number],
    patience: BusPatience,
    unit = this.#identity.id,
  ): Promise<boolean | null> {
    try {
      if (member === 'StartUnit' && (await this.#get(UNIT, 'AllowIsolate', patience)) !== false) return null;
      await this.#ask(manager(member, unit, 'isolate'), patience);
      return true;
    } catch (error) {
      if (!(error instanceof BusRefusal)) throw error;
      if (isNotAllowed(error.errorName)) return false;
      return NONSENSE.includes(error.errorName) ? true : null;
    }
  }

  /** Forgives systemd's own start limit. */
  async resetFailed(patience: BusPatience): Promise<void> {
    await this.#ask(manager('ResetFailedUnit', this.#identity.id), patience);
  }

  async #order(member: string, patience: BusPatience): Promise<string | null> {
    // What has ended so far belongs to earlier orders.
    this.#ends.clear();
    const dueAt = performance.now() + patience.timeoutMs;
    const { body } = await this.#ask(manager(member, this.#identity.id, 'replace'), patience);
    const job = textOf(body[0]);
    // systemd may say that a job has ended before it has said which one it is.
    const early = this.#ends.get(job);
    if (early !== undefined) return early;
    const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(dueAt - performance.now())));
    const signal = patience.signal ? AbortSignal.any([timeout, patience.signal]) : timeout;
    try {
      const [end] = (await once(this.#jobs, job, { signal })) as [string];
      return end;
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  /** A property as `systemctl show` prints it. A unit that is no service has none of a service. */
  async #read(of: string, name: string, patience: BusPatience): Promise<[name: string, value: string]> {
    return [name, wordOf(await this.#get(of, name, patience).catch(nothingWhereRefused), name)];
  }

  async #get(of: string, property: string, patience: BusPatience): Promise<BusValue | undefined> {
    return valueOf((await this.#ask(getProperty(this.#identity.path, of, property), patience)).body[0]);
  }

  async #ask(call: BusCall, patience: BusPatience): Promise<BusMessage> {
    const reply = await this.#bus.call(call, patience);
    if (reply.sender !== this.#identity.owner) this.#onManagerLeft();
    return reply;
  }

  #onSignal({ sender, path, member, body }: BusMessage): void {
    if (sender === BUS && member === 'NameOwnerChanged') this.#onManagerLeft();
    if (sender !== this.#identity.owner) return;
    if (member === 'JobRemoved') this.#onJobRemoved(textOf(body[1]), textOf(body[3]));
    if (member === 'PropertiesChanged' && path === this.#identity.path && body[1] instanceof Map)
      this.#onChanged(body[1] as ReadonlyMap<BusValue, BusValue>);
  }

  /** Of one that takes the place of the other, as after `systemctl daemon-reexec`, no news is heard. */
  #onManagerLeft(): void {
    this.#bus.fail('reset', 'the service manager has left the bus, and may have come back');
  }

  /** A job that comes and goes is told with the state as it was: that is no news. */
  #onChanged(changed: ReadonlyMap<BusValue, BusValue>): void {
    const state = wordOf(valueOf(changed.get('ActiveState')));
    const since = wordOf(valueOf(changed.get(SINCE)));
    if (!isKnownState(state) || (since !== '' && since === this.#since)) return;
    this.#since = since;
    this.#listener.onState(state);
  }

  #onJobRemoved(job: string, end: string): void {
    if (this.#ends.size < MOST_ENDS) this.#ends.set(job, end);
    this.#jobs.emit(job, end);
  }
}

const AT_MANAGER = { destination: SYSTEMD, path: '/org/freedesktop/systemd1', interface: MANAGER };
const manager = (member: string, ...body: string[]): BusCall => ({ ...AT_MANAGER, member, body });

const getProperty = (path: string, ...body: [of: string, property: string]): BusCall => ({
  destination: SYSTEMD,
  path,
  interface: PROPERTIES,
  member: 'Get',
  body,
});

const addMatch = (rule: string): BusCall => ({
  ...AT_BUS,
  member: 'AddMatch',
  body: [`type='signal',${rule}`],
});

const textOf = (value: BusValue | undefined): string => (typeof value === 'string' ? value : '');
const valueOf = (value: BusValue | undefined): BusValue | undefined => (isVariant(value) ? value.value : undefined);

/** As `systemctl show` prints it, on one clean line: an id in hexadecimal digits, a span of time with its unit. */
function wordOf(value: BusValue | undefined, property = ''): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex', 0, LONGEST_VALUE / 2);
  if (property.endsWith('USec') && typeof value === 'bigint')
    return value === NO_LIMIT ? 'infinity' : `${Number(value) / 1_000_000}s`;
  return value === undefined || typeof value === 'object' ? '' : cleanRemoteText(String(value), LONGEST_VALUE);
}
