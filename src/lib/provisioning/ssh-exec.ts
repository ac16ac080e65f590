import { SSHSession, type SSHCommandResult, type SSHTarget } from './ssh-session.ts';

export type SSHCommandOptions = SSHTarget & {
  readonly command: string;
  /** From the look-up of the host name and the dial to the end of the login. */
  readonly connectTimeoutMs: number;
  /** From then on: opening the channel, running the command, its whole output. */
  readonly commandTimeoutMs: number;
  readonly signal?: AbortSignal;
};

/**
 * Runs one command on one host and gives its exit code and output (at most 64 KiB a stream). Rejects with
 * `SSHCommandError` and with nothing else. Whatever the peer does, it settles once and within `connectTimeoutMs` +
 * `commandTimeoutMs`, and leaves no socket, timer or listener behind: it settles after its socket has closed. Who has
 * several commands for a host runs them on one `SSHSession`.
 */
export async function execSSHCommand(options: SSHCommandOptions): Promise<SSHCommandResult> {
  const { command, connectTimeoutMs, commandTimeoutMs, signal, ...target } = options;
  const session = await SSHSession.open(target, { timeoutMs: connectTimeoutMs, signal });
  try {
    return await session.run(command, { timeoutMs: commandTimeoutMs, signal });
  } finally {
    await session.close();
  }
}
