import { cleanRemoteText } from '../facts/remote-text.ts';

/** How far the attempt came: RFC 4253 (handshake), RFC 4252 (auth), RFC 4254 (channel, command). */
export type SSHPhase = 'connect' | 'handshake' | 'auth' | 'channel' | 'command';

export type SSHFailureCode =
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
  /** Our own faults: nothing is learned about the host. */
  | 'key_invalid'
  | 'target_invalid'
  | 'stalled'
  | 'aborted';

/** Why there is no exit code. The message is one clean line that says what was seen. */
export class SSHCommandError extends Error {
  override readonly name = 'SSHCommandError';
  readonly code: SSHFailureCode;
  readonly phase: SSHPhase;
  constructor(code: SSHFailureCode, phase: SSHPhase, message: string) {
    super(message);
    this.code = code;
    this.phase = phase;
  }
}

/** What an error of the socket means, and how to say it. */
export function describeSocketError(error: NodeJS.ErrnoException, phase: SSHPhase): [SSHFailureCode, string] {
  switch (error.code) {
    case 'ECONNREFUSED':
      return ['refused', 'the host refused the connection'];
    case 'ETIMEDOUT':
      return ['timeout', `no answer from the host's network (${phase})`];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return ['dns', 'the host name is not known'];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return ['unreachable', 'there is no route to the host'];
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return ['reset', `the connection broke (${phase})`];
    default:
      return ['protocol', cleanRemoteText(`${error.code ?? 'unknown error'} (${phase})`)];
  }
}
