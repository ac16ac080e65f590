import type { lookup as systemLookup } from 'node:dns';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttpReceiver } from '../../../tests/support/http-receiver.ts';
import { sendHttp } from './http-request.ts';
import { isPublicHost, lookUpWithin, REFUSED_ADDRESS } from './public-host.ts';

describe('a name', () => {
  it.each([
    ['example.com', true],
    ['example.com.', true],
    ['a.localhost', false],
    ['localhost.localdomain', false],
    ['10.0.0.1', false],
    ['[fd00::1]', false],
  ])('%s may be on the internet: %s', (host, expected) => {
    expect(isPublicHost(host)).toBe(expected);
  });

  /** A resolver of its own, as `dns.lookup`, that answers each time with the next list of addresses. */
  const resolver = (...answers: readonly (readonly string[])[]) => {
    const asked: string[] = [];
    const resolve = ((hostname: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      const addresses = answers[asked.push(hostname) - 1] ?? [];
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    }) as unknown as typeof systemLookup;
    return { resolve, asked };
  };
  const lookUp = (resolve: typeof systemLookup, all: boolean) =>
    new Promise((done) =>
      lookUpWithin('public', resolve)('hook.example', { all }, (error, address, family) =>
        done(error?.code ?? [address, family]),
      ),
    );

  it.each([[['127.0.0.1']], [['8.8.8.8', '10.0.0.1']], [['2001:4860:4860::8888', '::1']], [[]]])(
    'that leads to %j is refused',
    async (addresses) => {
      expect(await lookUp(resolver(addresses).resolve, true)).toBe(REFUSED_ADDRESS);
    },
  );

  it('is dialled at the very addresses that were judged', async () => {
    const answer = ['8.8.8.8', '2001:4860:4860::8888'];
    expect(await lookUp(resolver(answer).resolve, true)).toEqual([
      [
        { address: '8.8.8.8', family: 4 },
        { address: '2001:4860:4860::8888', family: 6 },
      ],
      undefined,
    ]);
    expect(await lookUp(resolver(answer).resolve, false)).toEqual(['8.8.8.8', 4]);
  });

  it('that changes its mind in between gets no request within the network', async () => {
    const receiver = await startHttpReceiver();
    onTestFinished(() => receiver.close());
    const { port } = new URL(receiver.url);
    const { resolve, asked } = resolver(['127.0.0.1'], ['8.8.8.8'], ['127.0.0.1']);
    const order = { method: 'POST', url: `http://hook.example:${port}/`, body: '{}' } as const;
    const attempt = { signal: new AbortController().signal, timeoutMs: 1_000 };
    expect(await sendHttp({ ...order, reach: 'public', resolve }, attempt)).toEqual({
      kind: 'no_answer',
      reason: expect.stringContaining('an address that may not be called') as string,
      sure: true,
    });
    expect(receiver.requests).toEqual([]);
    // One request, one question: the second answer is for the second request.
    expect(asked).toHaveLength(1);
  });
});
