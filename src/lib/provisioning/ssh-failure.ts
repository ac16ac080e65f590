import type { CauseAmong } from '../facts/cause.ts';
import { cleanRemoteText } from '../facts/remote-text.ts';

/** How far the attempt came: RFC 4253 (handshake), RFC 4252 (auth), RFC 4254 (channel, command). */
export type SSHPhase = 'connect' | 'handshake' | 'auth' | 'channel' | 'command';

/** Whose fault each of them is stands in the table of causes. */
export type SSHFailureCode = CauseAmong<
  | 'refused'
  | 'timeout'
  | 'dns'
  | 'unreachable'
  | 'reset'
  | 'protocol'
  | 'auth_rejected'
  | 'host_key_changed'
  | 'output_limit'
  | 'no_exit_status'
  | 'key_invalid'
  | 'target_invalid'
  | 'address_refused'
  | 'resolver'
  | 'local_limit'
  | 'stalled'
  | 'aborted'
>;

/**
 * Why there is no exit code. The message is one clean line that says what was seen; `offeredHostKey` is the key that the
 * host has shown instead of the pinned one.
 */
export class SSHCommandError extends Error {
  override readonly name = 'SSHCommandError';
  readonly code: SSHFailureCode;
  readonly phase: SSHPhase;
  /** Whether the host may have begun with the command; false only where it certainly has not. */
  readonly sent: boolean;
  readonly offeredHostKey: string | null;
  constructor(
    code: SSHFailureCode,
    phase: SSHPhase,
    message: string,
    { sent = false, offeredHostKey = null }: { readonly sent?: boolean; readonly offeredHostKey?: string | null } = {},
  ) {
    super(message);
    this.code = code;
    this.phase = phase;
    this.sent = sent;
    this.offeredHostKey = offeredHostKey;
  }
}

type Meaning = {
  readonly failure: SSHFailureCode;
  readonly codes: readonly string[];
  readonly says: (code: string, phase: SSHPhase) => string;
};

const OUR_MACHINE = {
  failure: 'local_limit',
  says: (code: string) => `the monitor's own machine allowed no connection (${code})`,
} as const;

/** Codes of the system. Where a name has several addresses and so an attempt several errors, the first of these counts. */
const MEANINGS: readonly Meaning[] = [
  { failure: 'refused', codes: ['ECONNREFUSED'], says: () => 'the host refused the connection' },
  {
    failure: 'reset',
    codes: ['ECONNRESET', 'EPIPE', 'ECONNABORTED'],
    says: (_, phase) => `the connection broke (${phase})`,
  },
  // An address could not even be tried, so that the silence of another one says little.
  { ...OUR_MACHINE, codes: ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] },
  { failure: 'timeout', codes: ['ETIMEDOUT'], says: (_, phase) => `no answer from the host's network (${phase})` },
  {
    failure: 'unreachable',
    codes: ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'],
    says: () => 'there is no route to the host',
  },
  // No port left, no IPv6 here, or a packet filter of this machine says no. Last: a host may have an IPv4 address, too.
  { ...OUR_MACHINE, codes: ['EADDRNOTAVAIL', 'EADDRINUSE', 'EAGAIN', 'EAFNOSUPPORT', 'EACCES', 'EPERM'] },
];

/** What an error of the socket means, and how to say it. */
export function describeSocketError(error: NodeJS.ErrnoException, phase: SSHPhase): [SSHFailureCode, string] {
  const all = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error];
  for (const { failure, codes, says } of MEANINGS) {
    const code = all.map((one) => one.code ?? '').find((one) => codes.includes(one));
    if (code !== undefined) return [failure, says(code, phase)];
  }
  return ['protocol', cleanRemoteText(`${error.code ?? 'unknown error'} (${phase})`)];
}

/** A timer this late means that this process slept or was blocked: the silence may have been ours. */
const STALL_TOLERANCE_MS = 2_000;

/** What it means that there was no answer within `timeoutMs`, and that this was noticed `lateMs` after that. */
export function describeSilence(lateMs: number, timeoutMs: number, phase: SSHPhase): [SSHFailureCode, string] {
  if (lateMs <= STALL_TOLERANCE_MS) return ['timeout', `no answer within ${timeoutMs / 1000} s (${phase})`];
  const seconds = Math.round(lateMs / 1000);
  return ['stalled', `the monitor itself stood still for ${seconds} s, so the silence says nothing`];
}

/**
 * Why sshd turns a connection away before it speaks SSH, by the line that it leaves; null where there is none. Source:
 * OpenSSH, sshd.c, `drop_connection`.
 */
export function describeTurningAway(preface: string): string | null {
  if (preface.startsWith('Not allowed at this time'))
    return 'the host turns away connections from here for a while (PerSourcePenalties, after failed logins or hang-ups): exempt the monitor with PerSourcePenaltyExemptList in its sshd_config';
  if (preface.startsWith('Exceeded MaxStartups'))
    return 'the host takes no further connections at the moment (MaxStartups in its sshd_config)';
  return null;
}

/** Why what a host name leads to is not dialled. */
export const describeRefusedAddress = (host: string, refusal: string): string =>
  cleanRemoteText(
    `${refusal.startsWith(host) ? '' : `${host} leads to `}${refusal}, which the setting ALLOWED_ADDRESSES does not allow`,
    400,
  );

/** What it means that a host name was not found out. Source: getaddrinfo(3), under the names that Node gives it. */
export function describeLookupError(error: NodeJS.ErrnoException): [SSHFailureCode, string] {
  if (error.code === 'ENOTFOUND') return ['dns', 'the host name is not known'];
  const [failure, message] = describeSocketError(error, 'connect');
  if (failure === 'local_limit') return [failure, message];
  return ['resolver', cleanRemoteText(`the host name could not be looked up (${error.code ?? 'unknown error'})`)];
}
