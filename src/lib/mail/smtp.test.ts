import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startMailServer } from '../../../tests/support/mail-server.ts';
import { sendMail } from './smtp.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const LETTER = { id: 'message-1', thread: null, subject: 'Hello', text: 'Hello\n', html: '<p>Hello</p>' };
const ENVELOPE = { from: { name: '', address: 'monitor@wardround.example' }, to: 'ada@customer.example' };
const send = (url: string, timeoutMs = 5_000) =>
  sendMail(url, LETTER, ENVELOPE, { signal: new AbortController().signal, timeoutMs });

/** What a server has heard when it hangs up; `data`: in the middle of the mail. */
type Moment = 'connect' | 'EHLO' | 'MAIL FROM' | 'RCPT TO' | 'DATA' | 'data' | 'end of data';

/** An SMTP server that takes everything until that moment, and then hangs up without a word. */
async function startServerThatHangsUp(moment: Moment): Promise<string> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    if (moment === 'connect') return socket.destroy();
    socket.write('220 mx.example ESMTP\r\n');
    let heard = '';
    let inData = false;
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (inData && moment === 'data') return socket.destroy();
      if (inData) return heard.endsWith('\r\n.\r\n') ? socket.destroy() : undefined;
      for (let end = heard.indexOf('\r\n'); end >= 0; end = heard.indexOf('\r\n')) {
        const line = heard.slice(0, end);
        heard = heard.slice(end + 2);
        if (line.startsWith(moment)) return socket.destroy();
        inData = line === 'DATA';
        socket.write(inData ? '354 go on\r\n' : '250 fine\r\n');
      }
      return undefined;
    });
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a mail', () => {
  it.each<[Moment, boolean]>([
    ['connect', false],
    ['EHLO', false],
    ['MAIL FROM', false],
    ['RCPT TO', false],
    ['DATA', false],
    ['data', false],
    ['end of data', true],
  ])('of which the server has heard the %s when it hangs up may have arrived: %s', async (moment, mayHaveArrived) => {
    // Longer than what is sent in one piece, so that there is a middle.
    const text = moment === 'data' ? 'x'.repeat(8_000_000) : LETTER.text;
    const result = await sendMail(await startServerThatHangsUp(moment), { ...LETTER, text }, ENVELOPE, {
      signal: new AbortController().signal,
      timeoutMs: 10_000,
    });
    expect(result).toMatchObject({ outcome: 'retry' });
    expect('mayHaveArrived' in result).toBe(mayHaveArrived);
  });

  it('cannot have arrived where no certificate was trusted, from the start or with STARTTLS', async () => {
    const smtps = await startMailServer({ secure: true });
    const starttls = await startMailServer({ disabledCommands: [] });
    closers.push(smtps.close, starttls.close);
    for (const url of [smtps.url, `${starttls.url}/?requireTLS=true`]) {
      const result = await send(url);
      expect(result).toMatchObject({ outcome: 'retry', reason: expect.stringMatching(/certificate/) });
      expect(result).not.toHaveProperty('mayHaveArrived');
    }
  });

  it('cannot have arrived where no TLS was spoken, or the greeting never came', async () => {
    const plain = await startMailServer();
    closers.push(plain.close);
    expect(await send(plain.url.replace('smtp:', 'smtps:'), 500)).not.toHaveProperty('mayHaveArrived');
    await plain.behave('hang');
    expect(await send(plain.url, 300)).not.toHaveProperty('mayHaveArrived');
  });

  it('may have arrived where the server took all of it and said nothing for too long', async () => {
    const server = await startMailServer();
    closers.push(server.close);
    await server.behave('hang_after_mail');
    expect(await send(server.url, 300)).toMatchObject({ outcome: 'retry', mayHaveArrived: true });
  });
});
