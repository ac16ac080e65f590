import { measureMessage, parseMessage, type BusMessage } from './message.ts';

/** What a bus says before the first message; each line is some forty bytes. */
const LONGEST_LINE = 256;
const MOST_LINES = 4;
/** Room for a message before anybody knows how long it is. */
const FIRST_BYTES = 1_024;

/** Bytes that are to be sent, and messages that have come, or why nothing more can be made of what comes. */
export type Heard = { readonly send: string; readonly messages: readonly BusMessage[]; readonly fault: string | null };

/**
 * The bus as a stream of bytes that may be cut anywhere: first the login, then message after message. Of a message as much
 * is kept as has come of it, whatever length it claims. The first fault is the last word: after it, nothing is heard.
 */
export class BusWire {
  /** What is sent at first: there is no password, as SSH has seen to who we are. Source: D-Bus, authentication protocol. */
  static readonly GREETING = '\0AUTH ANONYMOUS\r\n';
  #kept = Buffer.alloc(FIRST_BYTES);
  #length = 0;
  #lines = 0;
  #isLoggedIn = false;
  #fault: string | null = null;

  /** Whether the first message may be sent. */
  get isLoggedIn(): boolean {
    return this.#isLoggedIn;
  }

  receive(chunk: Buffer): Heard {
    const messages: BusMessage[] = [];
    let send = '';
    let rest = chunk;
    while (rest.length > 0 && this.#fault === null) {
      if (this.#isLoggedIn) rest = this.#hearMessage(rest, messages);
      else {
        const at = rest.indexOf(0x0a);
        const piece = at < 0 ? rest : rest.subarray(0, at + 1);
        rest = rest.subarray(piece.length);
        if (this.#length + piece.length > LONGEST_LINE) this.#fault = 'the bus begins with a line that does not end';
        else this.#keep(piece);
        if (at >= 0 && this.#fault === null) send += this.#answerLine();
        if (this.#isLoggedIn && rest.length > 0) this.#fault = 'the bus speaks before it was asked';
      }
    }
    return { send, messages, fault: this.#fault };
  }

  #answerLine(): string {
    const line = this.#kept.toString('latin1', 0, this.#length);
    this.#length = 0;
    this.#lines += 1;
    if (line.startsWith('OK ') && line.endsWith('\r\n')) {
      this.#isLoggedIn = true;
      return 'BEGIN\r\n';
    }
    if (line.startsWith('DATA') && this.#lines < MOST_LINES) return 'DATA\r\n';
    this.#fault = line.startsWith('REJECTED') ? 'the bus lets nobody in without a name' : 'this is no bus';
    return '';
  }

  /** Takes from `rest` what belongs to the message that has begun; gives what does not. */
  #hearMessage(rest: Buffer, messages: BusMessage[]): Buffer {
    const measured = measureMessage(this.#kept.subarray(0, this.#length));
    if (measured !== null && typeof measured === 'object') {
      this.#fault = measured.fault;
      return rest;
    }
    const taken = rest.subarray(0, (measured ?? 16) - this.#length);
    this.#keep(taken);
    if (measured !== null && this.#length === measured) {
      const message = parseMessage(this.#kept.subarray(0, measured));
      this.#length = 0;
      if ('fault' in message) this.#fault = message.fault;
      else messages.push(message);
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
