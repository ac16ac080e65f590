import { describe, expect, it } from 'vitest';
import { isLocalRequest } from './loopback.ts';

describe('isLocalRequest', () => {
  it.each([
    ['127.0.0.1', 'localhost', {}, true],
    ['127.0.0.1', '127.0.0.1', {}, true],
    ['::1', '[::1]', {}, true],
    ['::ffff:127.0.0.1', 'wardround.localhost', {}, true],
    ['10.0.0.7', 'localhost', {}, false],
    ['::ffff:10.0.0.7', 'localhost', {}, false],
    ['127.0.0.1', 'rebound.example', {}, false],
    ['127.0.0.1', 'localhost.example', {}, false],
    ['127.0.0.1', '10.0.0.7', {}, false],
    ['127.0.0.1', '', {}, false],
    ['127.0.0.1', 'localhost', { 'X-Forwarded-For': '203.0.113.9' }, false],
    ['127.0.0.1', 'localhost', { Via: '1.1 proxy' }, false],
  ])('%s asking for %s with %o: %s', (peer, host, headers, allowed) => {
    expect(isLocalRequest(peer, host, new Headers(headers as Record<string, string>))).toBe(allowed);
  });
});
