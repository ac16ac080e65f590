import type { LinkChoice, LinkFacts, LinkKind, LinkLimit } from '../facts/link.ts';
import { maskSecretsIn } from '../facts/mask-secrets.ts';
import { isKnownState, isUp, type UnitFacts } from '../facts/unit-state.ts';
import { BusRefusal } from './bus/bus-connection.ts';
import { OTHER_UNIT, UnitBus, type ORDERS } from './bus/unit-bus.ts';
import { selfRestartsBetween } from './rules/self-restarts.ts';
import { isNotAllowed, readFailedJob, readRefusal } from './rules/bus-answer.ts';
import { SSHCommandError } from './ssh-failure.ts';
import { RESTED_PATIENCE_MS, VpsConnection, type SSHLimits, type VpsTarget } from './vps-connection.ts';
import {
  probeService,
  readJournalTail,
  restartRachelService,
  settleRestart,
  type Probe,
  type ProbeResult,
  type RestartOutcome,
} from './vps-status.ts';

export type LinkOptions = {
  readonly limits: SSHLimits;
  readonly choice: LinkChoice;
  /** What has worked last, perhaps in another process. */
  readonly remembered?: Pick<LinkFacts, 'kind' | 'since' | 'newsAt'> | null;
  /** Whether its connection may be kept after this look. */
  readonly isKept?: () => boolean;
  /** The unit has entered this state, says the bus. A hint: whoever acts looks first. */
  readonly onNews?: (activeState: string) => void;
  /** The bus has ended by itself while it rested, and the connection has not. */
  readonly onBusEnd?: () => void;
  /** One that is there already; otherwise it makes its own. */
  readonly connection?: VpsConnection;
  /** Chance, 0 to 1: links that were made together are not renewed together. */
  readonly chance?: number;
};

/** A probe, and how the host was reached for it: over a connection that stood already, over its bus, or neither. */
export type LinkProbe = Probe & { readonly over: LinkKind };

export type BusRights = Readonly<Record<'start' | 'restart' | 'stop' | 'other', boolean | null>>;

export type HealOrder = {
  /** Lifts systemd's own start limit first. */
  readonly resetFailed?: boolean;
  /** What the look before has read of the unit. */
  readonly before?: UnitFacts | null;
  /** Restarts it even where it runs; else it is started, which does nothing to a service that runs meanwhile. */
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** A kept connection does not outlive this, so that a key that was taken away is noticed; spread by a quarter. */
const LONGEST_LIFE_MS = 60 * 60_000;
/** What did not work is tried again after that. */
const TRY_AGAIN_AFTER_MS = 60 * 60_000;
/** So often in a row a kept connection may be found dead. */
const MOST_DEATHS = 3;
const LONGEST_DETAIL = 150;

/**
 * How one VPS is looked at and healed, over the best kind of link that works there: a connection for each look (fresh), one
 * from look to look (kept), or that with a channel to systemd's own bus (bus). What a look or an order means does not
 * depend on it. A link that turns out to be dead is no dead VPS: the same is tried once over a fresh connection, but not
 * after an order was sent. Never rejects. Whoever has used it lets it rest or closes it.
 */
export class VpsLink {
  readonly target: VpsTarget;
  readonly #options: LinkOptions;
  readonly #connection: VpsConnection;
  #unit: UnitBus | null = null;
  #kind: LinkKind;
  #since: Date;
  #newsAt: Date | null;
  #limit: LinkLimit | null = 'not_tried';
  #detail: string | null = null;
  #busFailedAtMs = -Infinity;
  #unkeepableAtMs = -Infinity;
  #isResting = false;
  #deaths = 0;
  /** Whether the bus lets this login start it; sudo may all the same. */
  #mayStart = true;
  /** The login gives the bus whatever command it is told. */
  #isBusOnly = false;
  #usedAtMs = -Infinity;
  /** `NRestarts` of the unit as it was last read. */
  #counted: number | null = null;

  constructor(target: VpsTarget, options: LinkOptions) {
    this.target = target;
    this.#options = options;
    this.#connection = options.connection ?? new VpsConnection(target, options.limits);
    this.#kind = options.remembered?.kind ?? 'fresh';
    this.#since = options.remembered?.since ?? new Date();
    this.#newsAt = options.remembered?.newsAt ?? null;
  }

  get facts(): LinkFacts {
    return { kind: this.#kind, since: this.#since, limit: this.#limit, detail: this.#detail, newsAt: this.#newsAt };
  }

  /** Whether the login gives the bus whatever command it is told, as far as is known. */
  get isBusOnly(): boolean {
    return this.#isBusOnly;
  }

  /** Whether a connection stands open. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** When it was last used, by `performance.now()`. */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  /** The key the host has proved to own; null before the first login. */
  get hostKey(): string | null {
    return this.#connection.hostKey;
  }

  /** Whether its connection is worth being kept. */
  get isKeepable(): boolean {
    return this.#options.choice !== 'fresh' && this.isOpen && !isRecent(this.#unkeepableAtMs, this.#usedAtMs);
  }

  /** How the service is; where it is not active, also why. Changes nothing there. */
  async look(signal?: AbortSignal): Promise<LinkProbe> {
    const startedAtMs = performance.now();
    this.#usedAtMs = startedAtMs;
    this.#renew(startedAtMs);
    const { openedAtMs } = this.#connection;
    const hadRested = this.#isResting;
    const wasOpen = this.isOpen;
    this.#isResting = false;
    const probe = await this.#look(startedAtMs, signal);
    const isAnother = this.#connection.openedAtMs !== openedAtMs;
    if (hadRested && probe.hostKey !== null) this.#noteDeath(isAnother);
    return { over: wasOpen && !isAnother ? 'kept' : 'fresh', ...probe };
  }

  /**
   * Brings the service back, and says whether it is active a settle time afterwards. Over the bus it is started, which
   * does nothing to a service that runs by then; where systemd does not let this login do so, by command.
   */
  async heal({ resetFailed = false, before = null, force = false, signal }: HealOrder = {}): Promise<RestartOutcome> {
    this.#usedAtMs = performance.now();
    if (this.#mayStart && this.#kind === 'bus') {
      // It may have gone away since the look.
      const unit = await orNull(this.#openBus({ timeoutMs: RESTED_PATIENCE_MS, signal }));
      const outcome = unit && (await this.#healOverBus(unit, { resetFailed, before, force, signal }));
      if (outcome !== null) return outcome;
    }
    return restartRachelService(this.#connection, { resetFailed, before, signal });
  }

  /** The last lines of the unit's journal, clean; empty where the login may not read them. */
  journalTail(signal?: AbortSignal): Promise<string> {
    return this.#isBusOnly ? Promise.resolve('') : readJournalTail(this.#connection, signal);
  }

  /** How often systemd itself has restarted the unit since this was last asked; 0 where the bus does not tell. */
  async selfRestarts(signal?: AbortSignal): Promise<number> {
    if (!this.#unit?.isOpen) return 0;
    const now = await orNull(this.#unit.selfRestarts({ timeoutMs: RESTED_PATIENCE_MS, signal }));
    if (now === null) return 0;
    const before = this.#counted ?? now;
    this.#counted = now;
    return selfRestartsBetween(before, now);
  }

  /** What systemd would do for this login, asked in forms that change nothing; null where the bus does not tell. */
  async busRights(signal?: AbortSignal): Promise<BusRights | null> {
    const unit = this.#unit;
    if (!unit?.isOpen) return null;
    const patience = { timeoutMs: RESTED_PATIENCE_MS, signal };
    const may = (...order: [(typeof ORDERS)[number], string?]): Promise<boolean | null> =>
      orNull(unit.mayOrder(order[0], patience, order[1]));
    const [start, restart, stop, other] = await Promise.all([
      may('StartUnit'),
      may('RestartUnit'),
      may('StopUnit'),
      may('RestartUnit', OTHER_UNIT),
    ]);
    return { start, restart, stop, other };
  }

  /** Keeps the connection for the next look. */
  async rest(): Promise<void> {
    this.#usedAtMs = performance.now();
    this.#isResting = true;
    if (this.#kind === 'fresh') this.#become('kept');
    await this.#connection.rest();
  }

  /** Closes what is open; a later look makes another. */
  async close(): Promise<void> {
    this.#unit = null;
    this.#isResting = false;
    await this.#connection.close();
  }

  /** The same for one that is not kept although it could be. */
  async closeUnkept(limit: LinkLimit): Promise<void> {
    if (this.#kind === 'kept') this.#become('fresh');
    // What keeps it from being more than kept has been said already.
    if (this.#options.choice !== 'fresh') this.#limit = limit;
    await this.close();
  }

  async #look(startedAtMs: number, signal: AbortSignal | undefined): Promise<OverBus<Probe>> {
    const { choice, isKept } = this.#options;
    const mayUseBus = (choice === 'bus' || choice === 'auto') && !isRecent(this.#busFailedAtMs, startedAtMs);
    if (mayUseBus && (this.#unit?.isOpen || this.#kind === 'bus')) {
      const probe = await this.#lookOverBus(startedAtMs, signal);
      if (probe !== null) return probe;
    }
    const probe = await probeService(this.#connection, signal);
    if (probe.hostKey === null && !mayBeBusOnly(probe.result)) return probe;
    const isState = probe.result.kind === 'state';
    if (mayUseBus && !isRecent(this.#busFailedAtMs, startedAtMs) && (!isState || isKept?.())) {
      const over = await this.#lookOverBus(startedAtMs, signal);
      if (!isState && over?.result.kind === 'state') {
        this.#isBusOnly = probe.result.kind !== 'sudo_refused';
        return over;
      }
    }
    if (this.#kind === 'bus' && !this.#unit?.isOpen) this.#become('kept');
    if (choice === 'fresh' || choice === 'kept') this.#limit = 'setting';
    return probe;
  }

  /** Null: the bus does not tell. */
  async #lookOverBus(startedAtMs: number, signal: AbortSignal | undefined): Promise<OverBus<Probe> | null> {
    const timeoutMs = Math.min(this.#options.limits.commandTimeoutMs, RESTED_PATIENCE_MS);
    const wasOpen = this.#unit?.isOpen ?? false;
    try {
      const unit = await this.#openBus({ timeoutMs, signal });
      const { activeState, unit: facts, text } = await unit.look({ timeoutMs, signal });
      this.#become('bus');
      if (this.#mayStart) [this.#limit, this.#detail] = [null, null];
      const result: ProbeResult = isKnownState(activeState)
        ? { kind: 'state', activeState, exitCode: isUp(activeState, 0) ? 0 : NOT_ACTIVE, unit: facts }
        : { kind: 'odd_answer', message: `systemd calls the service "${maskSecretsIn(activeState)}"` };
      const durationMs = Math.round(performance.now() - startedAtMs);
      return { result, durationMs, hostKey: this.#connection.hostKey, unitText: text, over: 'bus' };
    } catch (error) {
      if (!isOfBus(error)) throw error;
      this.#unit = null;
      if (error instanceof SSHCommandError && OF_OURS.includes(error.code)) {
        const { code, message } = error;
        const durationMs = Math.round(performance.now() - startedAtMs);
        return { result: { kind: 'no_answer', code, message }, durationMs, hostKey: null, unitText: '' };
      }
      // One that has worked until now is made anew with the next look.
      if (!wasOpen) this.#noteNoBus(error, startedAtMs);
      return null;
    }
  }

  async #openBus(patience: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined }): Promise<UnitBus> {
    if (this.#unit?.isOpen) return this.#unit;
    const opened = await this.#connection.session(patience.signal);
    if (!opened.ok) throw new Unreached(opened.code, 'connect', opened.message);
    const listener = {
      onState: (activeState: string) => {
        this.#newsAt = new Date();
        this.#options.onNews?.(activeState);
      },
      // With the connection all that is on it ends: the next sweep dials anew, at its own pace.
      onEnd: () => {
        if (this.#isResting && this.isOpen) this.#options.onBusEnd?.();
      },
    };
    const unit = await UnitBus.open(opened.session, this.target.service, { ...patience, listener });
    this.#unit = unit;
    this.#counted ??= await orNull(unit.selfRestarts(patience));
    return unit;
  }

  #noteNoBus(error: BusRefusal | SSHCommandError, nowMs: number): void {
    // The host, not its bus: the command that follows tells.
    if (error instanceof Unreached) return;
    this.#busFailedAtMs = nowMs;
    this.#limit = error instanceof BusRefusal ? 'bus_refused' : 'no_bridge';
    this.#detail = detailOf(error);
  }

  /** Null: nothing was ordered, as this login may not, or the bus has gone away. */
  async #healOverBus(
    unit: UnitBus,
    { resetFailed, before, force, signal }: Required<Omit<HealOrder, 'signal'>> & Pick<HealOrder, 'signal'>,
  ): Promise<RestartOutcome | null> {
    const { limits } = this.#options;
    const patience = { timeoutMs: limits.restartTimeoutMs, signal };
    const look = (): Promise<Probe> => this.look(signal);
    const settle = (sent: string, isCutOff = true): Promise<RestartOutcome> =>
      settleRestart(look, { sent, isCutOff, limits, signal });
    try {
      // That it is refused is no reason not to try: most units have nothing to forgive.
      if (resetFailed) await orNull(unit.resetFailed(patience));
      if (!unit.isOpen) return null;
      const end = await (force ? unit.restart(patience) : unit.start(patience));
      if (end === 'done') return await settle('restarted', false);
      if (end === null) return await settle(`restart sent, then no end of it within ${patience.timeoutMs / 1000} s`);
      const { result } = await look();
      if (result.kind !== 'state' || isUp(result.activeState, result.exitCode))
        return await settle(`restart sent, then ${end}`);
      return { outcome: 'failed', ...readFailedJob(end, { after: result, before, service: this.target.service }) };
    } catch (error) {
      if (error instanceof SSHCommandError) return settle(`restart sent, then ${error.message}`);
      if (!(error instanceof BusRefusal)) throw error;
      if (!isNotAllowed(error.errorName)) return { outcome: 'failed', ...readRefusal(error.errorName, error.message) };
      this.#mayStart = false;
      this.#limit = 'start_refused';
      this.#detail = detailOf(error);
      const message = `restart not permitted: ${this.#detail}`;
      return this.#isBusOnly ? { outcome: 'failed', code: 'restart_refused', message } : null;
    }
  }

  /** Ends what has lived long enough: the next look logs in anew. */
  #renew(nowMs: number): void {
    const { chance = 0.5 } = this.#options;
    const lifeMs = LONGEST_LIFE_MS * (0.75 + chance / 2);
    if (!this.isOpen || nowMs - this.#connection.openedAtMs <= lifeMs) return;
    // What the login may not do may have been allowed since.
    this.#mayStart = true;
    this.#isBusOnly = false;
    void this.close();
  }

  #noteDeath(hasDied: boolean): void {
    this.#deaths = hasDied ? this.#deaths + 1 : 0;
    if (this.#deaths < MOST_DEATHS) return;
    this.#deaths = 0;
    this.#unkeepableAtMs = this.#usedAtMs;
  }

  #become(kind: LinkKind): void {
    if (this.#kind === kind) return;
    this.#kind = kind;
    this.#since = new Date();
  }
}

/** Says that it was the bus that told. */
type OverBus<T> = T & { readonly over?: 'bus' };

/** Exit code of `is-active` for a unit that is not. Source: systemctl(1). */
const NOT_ACTIVE = 3;
const OF_OURS: readonly string[] = ['aborted', 'stalled'];

/** No connection came about: that says nothing about the bus. */
class Unreached extends SSHCommandError {}

const isRecent = (atMs: number, nowMs: number): boolean => nowMs - atMs < TRY_AGAIN_AFTER_MS;

/** What a login may do that starts a bridge, whatever it is told. */
const mayBeBusOnly = (result: ProbeResult): boolean =>
  result.kind === 'no_answer' && ['no_exit_status', 'output_limit'].includes(result.code);

const detailOf = ({ message }: Error): string => maskSecretsIn(message).slice(0, LONGEST_DETAIL);

const isOfBus = (error: unknown): error is BusRefusal | SSHCommandError =>
  error instanceof BusRefusal || error instanceof SSHCommandError;

/** What the bus says; null where it refuses, or has ended. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isOfBus(error)) return null;
    throw error;
  }
}
