import type { ClientChannel } from 'ssh2';
import { cleanRemoteText } from '../facts/remote-text.ts';
import { CommandRecord } from './command-record.ts';
import { SSHCommandError, type SSHFailureCode } from './ssh-failure.ts';

/** The input of a command that is kept running. */
export type KeptChannel = {
  readonly write: (bytes: Buffer | string) => void;
  /** Ends the connection, and with it the command, for what has come over the channel or has failed to come. */
  readonly fail: (code: SSHFailureCode, message: string) => void;
};

/** Who listens to a command that is kept running. */
export type KeptListener = {
  readonly onOutput: (chunk: Buffer) => void;
  /** The last word, once: the command has ended, or the connection has closed. */
  readonly onEnd: (why: SSHCommandError) => void;
};

/** What the connection does for a command that is kept on it. */
type Connection = {
  readonly isOpen: () => boolean;
  /** Something is about to be sent. */
  readonly onWrite: () => void;
  readonly fail: (code: SSHFailureCode, message: string) => void;
};

const LONGEST_LAST_WORDS = 150;

/**
 * A command that goes on beside others of its connection. What it prints to stdout is handed on and not kept; of stderr,
 * 64 KiB at most may come. Its listener hears nothing after `onEnd`.
 */
export class KeptCommand {
  readonly #listener: KeptListener;
  #hasEnded = false;

  /** `begin` is called before anything of what the command says is read. */
  constructor(channel: ClientChannel, connection: Connection, begin: (channel: KeptChannel) => KeptListener) {
    const record = new CommandRecord();
    const fail = (error: Error): void => connection.fail('protocol', cleanRemoteText(error.message));
    this.#listener = begin({
      write: (bytes) => {
        if (!connection.isOpen() || this.#hasEnded) return;
        connection.onWrite();
        try {
          channel.write(bytes);
        } catch (error) {
          fail(error as Error);
        }
      },
      fail: connection.fail,
    });
    channel.on('data', (chunk: Buffer) => {
      if (connection.isOpen() && !this.#hasEnded) this.#listener.onOutput(chunk);
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      const why = record.add('stderr', chunk);
      if (why !== null) connection.fail('output_limit', why);
    });
    channel.on('exit', (code: number | null) => {
      record.exitCode = code;
    });
    channel.on('error', fail);
    channel.on('close', () => {
      // The connection has more to say about its own end.
      if (!connection.isOpen()) return;
      const said = cleanRemoteText(record.output().stderr, LONGEST_LAST_WORDS);
      const why = `the command has ended (exit code ${record.exitCode ?? 'unknown'})${said && `: ${said}`}`;
      this.end(new SSHCommandError('reset', 'channel', why, { sent: true }));
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  end(why: SSHCommandError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#listener.onEnd(why);
  }
}
