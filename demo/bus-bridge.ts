import type { ServerChannel } from 'ssh2';
import { measureMessage, readMessage, type BusMessage } from '../src/lib/provisioning/bus/rules/message.ts';
import type { BusValue } from '../src/lib/provisioning/bus/rules/values.ts';
import { writeMessage, type SentMessage } from './bus-message.ts';

export const BUS = 'org.freedesktop.DBus';
const LOGIN_END = '\r\nBEGIN\r\n';

type Unnumbered = Omit<SentMessage, 'serial'>;
export type Signal = Required<Pick<SentMessage, 'path' | 'interface' | 'member' | 'sender' | 'signature' | 'body'>>;
/** `signature` of the values, and the values. */
export type Values = readonly [signature: string, body: readonly BusValue[]];

/** The system bus of a simulated host, as one caller of `systemd-stdio-bridge` has it. */
export type Bridge = {
  readonly send: (message: Unnumbered) => void;
  readonly reply: (call: BusMessage, values?: Values, sender?: string) => void;
  readonly refuse: (call: BusMessage, errorName: string, message: string) => void;
  /** Sends it if the caller has asked for such signals. */
  readonly signal: (signal: Signal) => void;
};

type Callee = {
  /** A call that is not for the bus itself. */
  readonly onCall: (call: BusMessage, bridge: Bridge) => void;
  /** Sees each call first; whether it leaves it to others. */
  readonly passes?: (call: BusMessage) => boolean;
  /** Who answers, as the bus calls it. */
  readonly sender: string;
  /** How long whatever is said takes to the caller; the order stays. */
  readonly latencyMs?: () => number;
};

/** Serves one caller: the login, the calls for the bus itself, and what signals it wants. Others are for `onCall`. */
export function serveBridge(channel: ServerChannel, callee: Callee): Bridge {
  const { onCall, passes = () => true, sender, latencyMs = () => 0 } = callee;
  const rules: Rule[] = [];
  let serial = 0;
  const deliver = inOrder(latencyMs, (bytes) => {
    if (channel.writable) channel.write(bytes);
  });
  const send = (message: Unnumbered): void => {
    serial += 1;
    deliver(writeMessage({ ...message, serial }));
  };
  const bridge: Bridge = {
    send,
    reply: ({ serial: replySerial }, [signature, body] = ['', []], from = sender) =>
      send({ type: 'return', replySerial, sender: from, signature, body }),
    refuse: ({ serial: replySerial }, errorName, message) =>
      send({ type: 'error', replySerial, errorName, sender, signature: 's', body: [message] }),
    signal: (signal) => {
      if (rules.some((rule) => fits(rule, signal))) send({ type: 'signal', ...signal });
    },
  };
  const answer = (call: BusMessage): void => {
    if (!passes(call)) return;
    const rule = call.member === 'AddMatch' ? readRule(textOf(call.body[0])) : null;
    if (call.member === 'Hello') bridge.reply(call, ['s', [':1.9']], BUS);
    else if (call.member !== 'AddMatch') onCall(call, bridge);
    else if (rule === null) bridge.refuse(call, `${BUS}.Error.MatchRuleInvalid`, 'a key is given twice, or is none');
    else {
      rules.push(rule);
      bridge.reply(call, ['', []], BUS);
    }
  };
  let unread: Buffer = Buffer.alloc(0);
  let isLoggedIn = false;
  channel.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    const loginEnd = isLoggedIn ? -1 : unread.indexOf(LOGIN_END);
    if (loginEnd >= 0) {
      isLoggedIn = true;
      unread = unread.subarray(loginEnd + LOGIN_END.length);
      deliver(Buffer.from('OK 0123456789abcdef0123456789abcdef\r\n'));
    }
    for (;;) {
      const length = isLoggedIn ? measureMessage(unread) : null;
      if (length === null || unread.length < length) return;
      const call = readMessage(unread.subarray(0, length));
      unread = unread.subarray(length);
      answer(call);
    }
  });
  return bridge;
}

/** Hands on each after a time of its own, but none before the one before it. */
function inOrder(latencyMs: () => number, hand: (bytes: Buffer) => void): (bytes: Buffer) => void {
  let lastAtMs = 0;
  return (bytes) => {
    const nowMs = performance.now();
    lastAtMs = Math.max(nowMs + latencyMs(), lastAtMs);
    if (lastAtMs > nowMs) setTimeout(() => hand(bytes), lastAtMs - nowMs);
    else hand(bytes);
  };
}

/** Keys of a match rule and what they have to be. Source: D-Bus specification, match rules. */
type Rule = ReadonlyMap<string, string>;

function readRule(text: string): Rule | null {
  const pairs = text.split(',').map((pair) => /^(\w+)='([^']*)'$/.exec(pair)?.slice(1) ?? []);
  const rule = new Map(pairs.map(([key = '', value = '']) => [key, value]));
  return rule.size === pairs.length && !rule.has('') ? rule : null;
}

/** A sender has its name and its number; which name belongs to it is not looked up. */
const fits = (rule: Rule, { body, ...fields }: Signal): boolean =>
  [...rule].every(([key, value]) => {
    if (key === 'type') return value === 'signal';
    if (key === 'sender') return (value === BUS) === (fields.sender === BUS);
    if (key.startsWith('arg')) return body[Number(key.slice(3))] === value;
    return value === { path: fields.path, interface: fields.interface, member: fields.member }[key];
  });

const textOf = (value: BusValue | undefined): string => (typeof value === 'string' ? value : '');
