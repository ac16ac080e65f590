import type { ServerChannel } from 'ssh2';
import { BUS, serveBridge, type Bridge, type Signal } from '../../demo/bus-bridge.ts';
import type { BusMessage } from '../../src/lib/provisioning/bus/rules/message.ts';
import type { BusValue } from '../../src/lib/provisioning/bus/rules/values.ts';
import type { Exec } from './peers.ts';

const SYSTEMD = ':1.0';
const UNIT = 'org.freedesktop.systemd1.Unit';
const UNIT_PATH = '/org/freedesktop/systemd1/unit/rachel8_2eservice';
const JOB_PATH = '/org/freedesktop/systemd1/job/7';

/** One caller of a simulated system bus, behind which there is a service manager that does what it is told to. */
export type BusCaller = Bridge & {
  /** `member` of each call, in order. */
  readonly calls: string[];
  /** Every call of this member waits for an answer for ever. */
  readonly ignores: Set<string>;
  /** Errors that stand for answers, by member, or by the interface that is read. */
  readonly refuses: Map<string, string>;
  /** What becomes of a job, and whether that is told before the order is answered. */
  job: { readonly end: string | null; readonly isEarly: boolean };
  /** Sees each call first. */
  onCall: (call: BusMessage) => void;
  /** Properties of the unit. */
  readonly unit: Record<string, BusValue>;
  /** The unit enters a state, and the bus says so. Others than the manager can say that, too, to one caller. */
  readonly become: (activeState: string, sender?: string) => void;
  /** The bus says how the unit is, as it does when a job of it begins or ends. */
  readonly tell: (activeState: string, sender?: string) => void;
  /** The bus itself says something. */
  readonly tellOfBus: (member: string, body: readonly string[], sender?: string) => void;
  /** Any bytes. */
  readonly pour: (bytes: Buffer) => void;
  readonly channel: ServerChannel;
};

/** Serves the command that joins its caller to the bus. `prepare` is called with the first call, before its answer. */
export function serveBus(exec: Exec, prepare: (caller: BusCaller) => void = () => undefined): void {
  const channel = exec.accept();
  const unit: BusCaller['unit'] = {
    Id: 'rachel8.service',
    AllowIsolate: false,
    ActiveState: 'active',
    LoadState: 'loaded',
    SubState: 'running',
    Result: 'success',
    ExecMainCode: 1,
    ExecMainStatus: 203,
    NRestarts: 0,
    InvocationID: Uint8Array.of(0xca, 0xfe),
    TimeoutStartUSec: 90_000_000n,
    InactiveExitTimestampMonotonic: 4_711_000_000n,
    StateChangeTimestampMonotonic: 4_711_000_000n,
  };
  const bridge = serveBridge(channel, {
    sender: SYSTEMD,
    passes: (call) => {
      if (call.member === 'Hello') prepare(caller);
      caller.calls.push(call.member ?? '');
      const errorName = caller.refuses.get(call.member ?? '') ?? caller.refuses.get(textOf(call.body[0]));
      caller.onCall(call);
      if (errorName !== undefined) bridge.refuse(call, errorName, `${call.member ?? ''} is refused`);
      return errorName === undefined && !caller.ignores.has(call.member ?? '');
    },
    onCall: (call) => answerCall(caller, call),
  });
  /** What somebody sends to this caller alone comes without being asked for. */
  const say = (signal: Signal): void => {
    if (signal.sender === SYSTEMD || signal.sender === BUS) bridge.signal(signal);
    else bridge.send({ type: 'signal', ...signal });
  };
  const caller: BusCaller = {
    ...bridge,
    calls: [],
    ignores: new Set(),
    refuses: new Map(),
    job: { end: 'done', isEarly: false },
    unit,
    onCall: () => undefined,
    become: (activeState, sender = SYSTEMD) => {
      if (sender === SYSTEMD) {
        unit.ActiveState = activeState;
        unit.StateChangeTimestampMonotonic = BigInt(Number(unit.StateChangeTimestampMonotonic) + 1);
      }
      caller.tell(activeState, sender);
    },
    tell: (activeState, sender = SYSTEMD) => {
      const changed = new Map<BusValue, BusValue>([
        ['ActiveState', { signature: 's', value: activeState }],
        ['StateChangeTimestampMonotonic', { signature: 't', value: unit.StateChangeTimestampMonotonic ?? 0n }],
      ]);
      say({
        ...{ path: UNIT_PATH, interface: 'org.freedesktop.DBus.Properties', member: 'PropertiesChanged', sender },
        ...{ signature: 'sa{sv}as', body: [UNIT, changed, []] },
      });
    },
    tellOfBus: (member, body, sender = BUS) =>
      say({
        ...{ path: '/org/freedesktop/DBus', interface: BUS, member, sender },
        ...{ signature: 's'.repeat(body.length), body },
      }),
    pour: (bytes) => channel.write(bytes),
    channel,
  };
}

const SIGNATURES: Readonly<Record<string, string>> = { bigint: 't', number: 'u', boolean: 'b' };

function answerCall(caller: BusCaller, call: BusMessage): void {
  const endJob = (): void => {
    const { end } = caller.job;
    if (end === null) return;
    if (end === 'done') caller.become('active');
    caller.signal({
      ...{ path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager', member: 'JobRemoved' },
      ...{ sender: SYSTEMD, signature: 'uoss', body: [7, JOB_PATH, 'rachel8.service', end] },
    });
  };
  switch (call.member) {
    case 'LoadUnit':
      caller.reply(call, ['o', [UNIT_PATH]]);
      return;
    case 'Get': {
      const value = caller.unit[textOf(call.body[1])] ?? '';
      const signature = value instanceof Uint8Array ? 'ay' : (SIGNATURES[typeof value] ?? 's');
      caller.reply(call, ['v', [{ signature, value }]]);
      return;
    }
    case 'StartUnit':
    case 'RestartUnit':
      if (call.body[1] === 'isolate') {
        caller.refuse(call, 'org.freedesktop.DBus.Error.InvalidArgs', 'Isolate is only valid for start.');
        return;
      }
      if (caller.job.isEarly) endJob();
      caller.reply(call, ['o', [JOB_PATH]]);
      if (!caller.job.isEarly) endJob();
      return;
    case undefined:
    default:
      caller.reply(call);
  }
}

const textOf = (value: BusValue | undefined): string => (typeof value === 'string' ? value : '');
