import type { ServerChannel } from 'ssh2';
import { writeMessage, type SentMessage } from '../../demo/bus-message.ts';
import { measureMessage, readMessage, type BusMessage } from '../../src/lib/provisioning/bus/rules/message.ts';
import type { BusValue } from '../../src/lib/provisioning/bus/rules/values.ts';
import type { Exec } from './peers.ts';

const BUS = 'org.freedesktop.DBus';
const SYSTEMD = ':1.0';
const UNIT = 'org.freedesktop.systemd1.Unit';
const UNIT_PATH = '/org/freedesktop/systemd1/unit/rachel8_2eservice';
const JOB_PATH = '/org/freedesktop/systemd1/job/7';

/** One caller of a simulated system bus, behind which there is a service manager with one unit. */
export type BusCaller = {
  /** `member` of each call, in order. */
  readonly calls: string[];
  /** Every call of this member waits for an answer for ever. */
  readonly ignores: Set<string>;
  /** Errors that stand for answers, by member, or by the interface that is read. */
  readonly refuses: Map<string, string>;
  /** What becomes of a job, and whether that is told before the order is answered. */
  job: { readonly end: string | null; readonly isEarly: boolean };
  /** What happens once a call has been answered. */
  onCall: (call: BusMessage) => void;
  /** Properties of the unit. */
  readonly unit: Record<string, BusValue>;
  /** The unit enters a state, and the bus says so. */
  readonly become: (activeState: string, sender?: string) => void;
  /** The bus says how the unit is, as it does when a job of it begins or ends. */
  readonly tell: (activeState: string, sender?: string) => void;
  /** The bus itself says something. */
  readonly tellOfBus: (member: string, body: readonly string[], sender?: string) => void;
  readonly send: (bytes: Buffer) => void;
  readonly reply: (call: BusMessage, body?: readonly BusValue[], signature?: string, sender?: string) => void;
  readonly channel: ServerChannel;
};

const textOf = (value: BusValue | undefined): string => (typeof value === 'string' ? value : '');
const SIGNATURES: Readonly<Record<string, string>> = { bigint: 't', number: 'u' };

/** Serves the command that joins its caller to the bus. `prepare` is called at the end of the login. */
export function serveBus(exec: Exec, prepare: (caller: BusCaller) => void = () => undefined): void {
  const channel = exec.accept();
  let serial = 0;
  const send = (message: Omit<SentMessage, 'serial'>): void => {
    serial += 1;
    if (channel.writable) channel.write(writeMessage({ ...message, serial }));
  };
  const unit: BusCaller['unit'] = {
    Id: 'rachel8.service',
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
  const caller: BusCaller = {
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
      const since = unit.StateChangeTimestampMonotonic ?? 0n;
      const changed = new Map<BusValue, BusValue>([
        ['ActiveState', { signature: 's', value: activeState }],
        ['StateChangeTimestampMonotonic', { signature: 't', value: since }],
      ]);
      send({
        type: 'signal',
        path: UNIT_PATH,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'PropertiesChanged',
        sender,
        signature: 'sa{sv}as',
        body: [UNIT, changed, []],
      });
    },
    tellOfBus: (member, body, sender = BUS) =>
      send({
        type: 'signal',
        path: '/org/freedesktop/DBus',
        interface: BUS,
        member,
        sender,
        signature: 's'.repeat(body.length),
        body,
      }),
    send: (bytes) => channel.write(bytes),
    reply: (call, body = [], signature = '', sender = SYSTEMD) =>
      send({ type: 'return', replySerial: call.serial, sender, signature, body }),
    channel,
  };
  let unread = Buffer.alloc(0);
  let isLoggedIn = false;
  channel.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    const end = unread.indexOf('\r\nBEGIN\r\n');
    if (!isLoggedIn && end > 0) {
      isLoggedIn = true;
      unread = unread.subarray(end + '\r\nBEGIN\r\n'.length);
      channel.write('OK 0123456789abcdef0123456789abcdef\r\n');
      prepare(caller);
    }
    for (;;) {
      const length = isLoggedIn ? measureMessage(unread) : null;
      if (length === null || unread.length < length) return;
      const call = readMessage(unread.subarray(0, length));
      unread = unread.subarray(length);
      answerCall(caller, call, send);
      caller.onCall(call);
    }
  });
}

function answerCall(caller: BusCaller, call: BusMessage, send: (message: Omit<SentMessage, 'serial'>) => void): void {
  const { member = '', serial: replySerial } = call;
  caller.calls.push(member);
  if (caller.ignores.has(member)) return;
  const errorName = caller.refuses.get(member) ?? caller.refuses.get(textOf(call.body[0]));
  if (errorName !== undefined) {
    send({ type: 'error', replySerial, errorName, sender: SYSTEMD, signature: 's', body: [`${member} is refused`] });
    return;
  }
  const endJob = (): void => {
    const { end } = caller.job;
    if (end === null) return;
    if (end === 'done') caller.become('active');
    send({
      type: 'signal',
      path: '/org/freedesktop/systemd1',
      interface: 'org.freedesktop.systemd1.Manager',
      member: 'JobRemoved',
      sender: SYSTEMD,
      signature: 'uoss',
      body: [7, JOB_PATH, 'rachel8.service', end],
    });
  };
  switch (member) {
    case 'Hello':
      caller.reply(call, [':1.9'], 's', BUS);
      return;
    case 'AddMatch':
      caller.reply(call, [], '', BUS);
      return;
    case 'LoadUnit':
      caller.reply(call, [UNIT_PATH], 'o');
      return;
    case 'Get': {
      const value = caller.unit[textOf(call.body[1])] ?? '';
      caller.reply(
        call,
        [{ signature: value instanceof Uint8Array ? 'ay' : (SIGNATURES[typeof value] ?? 's'), value }],
        'v',
      );
      return;
    }
    case 'StartUnit':
    case 'RestartUnit':
      if (caller.job.isEarly) endJob();
      caller.reply(call, [JOB_PATH], 'o');
      if (!caller.job.isEarly) endJob();
      return;
    default:
      caller.reply(call);
  }
}
