import { describe, expect, it, onTestFinished } from 'vitest';
import { createSilentLog, openScratchApp } from '../../../tests/support/scratch-app.ts';
import { headerOfProxy, noticeProxy, unnamedProxy } from './unnamed-proxy.ts';

const FORWARDED = new Headers({ 'x-forwarded-for': '203.0.113.9' });

describe('a proxy that nobody has named', () => {
  it.each([
    [{ 'x-forwarded-for': '203.0.113.9' }, '127.0.0.1', 'x-forwarded-for'],
    [{ 'X-Forwarded-For': '203.0.113.9' }, '::ffff:10.0.0.2', 'x-forwarded-for'],
    [{ forwarded: 'for=203.0.113.9' }, '::1', 'forwarded'],
    [{ 'x-real-ip': '203.0.113.9' }, '192.168.1.1', 'x-real-ip'],
    [{}, '127.0.0.1', null],
    // A stranger may claim anything.
    [{ 'x-forwarded-for': '203.0.113.9' }, '8.8.8.8', null],
    [{ 'x-forwarded-for': '203.0.113.9' }, null, null],
  ])('is seen in %j from %s: %s', (headers, peer, found) => {
    expect(headerOfProxy(new Headers(headers), peer)).toBe(found);
  });

  const open = async (environment: Record<string, string>) => {
    const scratch = await openScratchApp(environment);
    onTestFinished(() => scratch.close());
    return { app: scratch.app, log: createSilentLog() };
  };

  it('is told once in the log, and then on the page', async () => {
    const { app, log } = await open({});
    noticeProxy(app, new Headers(), '127.0.0.1', log);
    expect(unnamedProxy(app)).toBeNull();
    for (let request = 0; request < 3; request++) noticeProxy(app, FORWARDED, '127.0.0.1', log);
    expect(log.lines).toEqual([expect.stringMatching(/header x-forwarded-for, from 127\.0\.0\.1.*ADDRESS_HEADER/)]);
    expect(unnamedProxy(app)).toBe('x-forwarded-for');
  });

  it('is none where the setting names it', async () => {
    const { app, log } = await open({ ADDRESS_HEADER: 'X-Forwarded-For' });
    noticeProxy(app, FORWARDED, '127.0.0.1', log);
    expect([log.lines, unnamedProxy(app)]).toEqual([[], null]);
  });
});
