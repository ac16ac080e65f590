import { HEADER_BYTES, measureMessage, readMessage, type BusMessage } from './message.ts';
import { Malformed } from './values.ts';

/** What the bus says before the first message: `OK`, and who it is. */
const LONGEST_LINE = 256;
/** Room for a message before anybody knows how long it is. */
const FIRST_BYTES = 1_024;

/** Messages that have come, or why nothing more can be made of what comes. */
export type Heard = { readonly messages: readonly BusMessage[]; readonly fault: string | null };

/**
 * The bus as a stream of bytes that may be cut anywhere: first the answer to the login, then message after message. Of a
 * message as much is kept as has come of it, whatever length it claims. The first fault is the last word: after it, nothing
 * is heard.
 */
export class BusWire {
  /**
   * What is sent at first: there is no password, as SSH has seen to who we are. The digits say "anonymous", as the client
   * of systemd does. Source: D-Bus specification, authentication protocol.
   */
  static readonly GREETING = '\0AUTH ANONYMOUS 616e6f6e796d6f7573\r\nBEGIN\r\n';
  #kept = Buffer.alloc(FIRST_BYTES);
  #length = 0;
  #isLoggedIn = false;
  #fault: string | null = null;

  /** Whether the first message may be sent. */
  get isLoggedIn(): boolean {
    return this.#isLoggedIn;
  }

  /** Never throws. */
  receive(chunk: Buffer): Heard {
    const messages: BusMessage[] = [];
    try {
      for (let rest = chunk; rest.length > 0 && this.#fault === null;)
        rest = this.#isLoggedIn ? this.#hearMessage(rest, messages) : this.#hearLogin(rest);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#fault = error.message;
    }
    return { messages, fault: this.#fault };
  }

  #hearLogin(rest: Buffer): Buffer {
    const end = rest.indexOf(0x0a) + 1;
    const piece = end === 0 ? rest : rest.subarray(0, end);
    if (this.#length + piece.length > LONGEST_LINE) throw new Malformed('the bus begins with a line that does not end');
    this.#keep(piece);
    if (end > 0) {
      const line = this.#kept.toString('latin1', 0, this.#length);
      if (line.startsWith('REJECTED')) throw new Malformed('the bus lets nobody in without a name');
      if (!line.startsWith('OK ') || !line.endsWith('\r\n')) throw new Malformed('this is no bus');
      if (end < rest.length) throw new Malformed('the bus speaks before it was asked');
      this.#isLoggedIn = true;
      this.#length = 0;
    }
    return rest.subarray(piece.length);
  }

  /** Takes from `rest` what belongs to the message that has begun; gives what does not. */
  #hearMessage(rest: Buffer, messages: BusMessage[]): Buffer {
    const measured = measureMessage(this.#kept.subarray(0, this.#length));
    const taken = rest.subarray(0, (measured ?? HEADER_BYTES) - this.#length);
    this.#keep(taken);
    if (this.#length === measured) {
      messages.push(readMessage(this.#kept.subarray(0, measured)));
      this.#length = 0;
    }
    return rest.subarray(taken.length);
  }

  #keep(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#kept.length) this.#kept = Buffer.concat([this.#kept], Math.max(needed, this.#kept.length * 2));
    piece.copy(this.#kept, this.#length);
    this.#length = needed;
  }
}
