import { cleanRemoteText } from '../facts/remote-text.ts';

const OUTPUT_LIMIT_BYTES = 64 * 1024;

/** What a command has printed, and how it ended, as far as that is known. */
export class CommandRecord {
  exitCode: number | null = null;
  exitSignal: string | null = null;
  readonly #out = { stdout: new CappedText(), stderr: new CappedText() };

  /** Why the command is given up when it has printed too much; null while it has not. */
  add(stream: 'stdout' | 'stderr', chunk: Buffer): string | null {
    return this.#out[stream].add(chunk) ? null : `the command printed more than ${OUTPUT_LIMIT_BYTES / 1024} KiB`;
  }

  output(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: this.#out.stdout.toString(), stderr: this.#out.stderr.toString() };
  }

  /** Why there is no exit code. */
  whyNoExitCode(): string {
    return this.exitSignal === null
      ? 'the command ended without an exit code'
      : `the command was killed by ${cleanRemoteText(this.exitSignal, 20)}`;
  }
}

/** Text of a remote stream, up to the limit. */
class CappedText {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** False when this chunk goes over the limit. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > OUTPUT_LIMIT_BYTES) return false;
    this.#chunks.push(chunk);
    return true;
  }
  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
