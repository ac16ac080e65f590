import type { ServerChannel } from 'ssh2';
import type { BusValue } from '../../src/lib/provisioning/bus/rules/bus-value.ts';
import {
  measureMessage,
  parseMessage,
  writeMessage,
  type BusMessage,
  type OutgoingMessage,
} from '../../src/lib/provisioning/bus/rules/message.ts';
import type { Exec } from './peers.ts';

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
  readonly send: (bytes: Buffer) => void;
  readonly reply: (call: BusMessage, body?: readonly BusValue[], signature?: string, sender?: string) => void;
  readonly channel: ServerChannel;
};

const SIGNATURES: Readonly<Record<string, string>> = { bigint: 't', number: 'u' };

/** Serves the command that joins its caller to the bus. `prepare` is called at the end of the login. */
export function serveBus(exec: Exec, prepare: (caller: BusCaller) => void = () => undefined): void {
  const channel = exec.accept();
  let serial = 0;
  const send = (message: Omit<OutgoingMessage, 'serial'>): void => {
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
      if (sender === SYSTEMD) unit.ActiveState = activeState;
      const changed = new Map<BusValue, BusValue>([['ActiveState', { signature: 's', value: activeState }]]);
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
    send: (bytes) => channel.write(bytes),
    reply: (call, body = [], signature = '', sender = SYSTEMD) =>
      send({ type: 'return', replySerial: call.serial, sender, signature, body }),
    channel,
  };
  let unread = Buffer.alloc(0);
  const logIn = ['\0AUTH ANONYMOUS\r\n', 'DATA\r\n', 'BEGIN\r\n'];
  const answers = ['DATA\r\n', 'OK 0123456789abcdef0123456789abcdef\r\n', ''];
  channel.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    for (let line = logIn[0]; line !== undefined && unread.indexOf(line) === 0; line = logIn[0]) {
      unread = unread.subarray(line.length);
      logIn.shift();
      channel.write(answers.shift() ?? '');
      if (logIn.length === 0) prepare(caller);
    }
    for (;;) {
      const length = logIn.length > 0 ? null : measureMessage(unread);
      if (typeof length !== 'number' || unread.length < length) return;
      const call = parseMessage(unread.subarray(0, length));
      unread = unread.subarray(length);
      if ('fault' in call) throw new Error(call.fault);
      answerCall(caller, call, send);
      caller.onCall(call);
    }
  });
}

function answerCall(
  caller: BusCaller,
  call: BusMessage,
  send: (message: Omit<OutgoingMessage, 'serial'>) => void,
): void {
  const { member = '', serial: replySerial } = call;
  caller.calls.push(member);
  if (caller.ignores.has(member)) return;
  const errorName = caller.refuses.get(member) ?? caller.refuses.get(String(call.body[0]));
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
      caller.reply(call, [':1.9'], 's', 'org.freedesktop.DBus');
      return;
    case 'AddMatch':
      caller.reply(call, [], '', 'org.freedesktop.DBus');
      return;
    case 'LoadUnit':
      caller.reply(call, [UNIT_PATH], 'o');
      return;
    case 'Get': {
      const value = caller.unit[String(call.body[1])] ?? '';
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
