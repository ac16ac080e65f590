import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addUser, openAccountApp, openSession } from '../../../tests/support/account-app.ts';
import type { App } from '../app.ts';
import type { SignedIn } from '../auth/session.ts';
import { tell } from './bus.ts';
import { closeStreams, openStream } from './stream.ts';

let app: App;
let signedIn: SignedIn;
beforeEach(async () => {
  ({ app } = await openAccountApp());
  await addUser(app, 'admin@example.test', { role: 'admin' });
  ({ signedIn } = await openSession(app, 'admin@example.test'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  closeStreams(app);
  vi.useRealTimers();
});

const open = (): ReadableStreamDefaultReader<Uint8Array> => {
  const stream = openStream(app, signedIn);
  if (stream === null) throw new Error('there is no stream');
  return stream.getReader();
};
const read = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> =>
  new TextDecoder().decode((await reader.read()).value);

describe('a stream', () => {
  it('gathers what happens within a quarter of a second', async () => {
    const reader = open();
    expect(await read(reader)).toMatch(/^retry: /);
    tell(app.db, { kind: 'vps', vpsIds: ['vps-a'] });
    vi.advanceTimersByTime(1);
    expect(await read(reader)).toBe('event: changed\ndata: {"vps":["vps-a"]}\n\n');
    tell(app.db, { kind: 'vps', vpsIds: ['vps-b'] });
    vi.advanceTimersByTime(200);
    tell(app.db, { kind: 'monitor' });
    vi.advanceTimersByTime(100);
    expect(await read(reader)).toBe('event: changed\ndata: {"vps":["vps-b"],"monitor":true}\n\n');
  });

  it('gives a sign of life each fifteen seconds', async () => {
    const reader = open();
    await read(reader);
    vi.advanceTimersByTime(15_000);
    expect(await read(reader)).toMatch(/^: .*\nevent: alive\n/);
  });

  it('keeps little for a reader that does not read, and then tells it that it has missed something', async () => {
    const reader = open();
    for (let round = 0; round < 5_000; round++) {
      tell(app.db, { kind: 'vps', vpsIds: [`vps-${round}`] });
      vi.advanceTimersByTime(250);
    }
    let kept = '';
    while (!kept.includes('"all":true')) kept += await read(reader);
    expect(kept.length).toBeLessThan(20_000);
    tell(app.db, { kind: 'vps', vpsIds: ['vps-later'] });
    vi.advanceTimersByTime(250);
    expect(await read(reader)).toContain('vps-later');
  });

  it('leaves nothing running when its reader has gone', async () => {
    const reader = open();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    await reader.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is one of a hundred at most for a user, and none once the server stops', async () => {
    const readers = Array.from({ length: 100 }, open);
    expect(openStream(app, signedIn)).toBeNull();
    await readers[0]?.cancel();
    expect(openStream(app, signedIn)).not.toBeNull();
    closeStreams(app);
    expect(openStream(app, signedIn)).toBeNull();
    for (const reader of readers.slice(1, 3)) {
      await read(reader);
      expect((await reader.read()).done).toBe(true);
    }
  });
});
