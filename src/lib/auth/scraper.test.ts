import { describe, expect, it } from 'vitest';
import { judgeScraper, type ScraperRules } from './scraper.ts';

const LOCAL: ScraperRules = { metricsToken: null, addressHeader: null, origin: 'http://localhost:3000' };
const TOKEN = 'a-token-of-32-visible-characters';
const ask = (peer: string | null, headers: Record<string, string> = {}) => ({
  peer,
  headers: new Headers({ host: '127.0.0.1:3000', ...headers }),
});

describe('whoever asks for the metrics, with no token set,', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('may from this machine: %s', (peer) => {
    expect(judgeScraper(ask(peer), LOCAL)).toBe('allowed');
  });

  it.each([null, '', '10.0.0.1', '192.168.1.7', '8.8.8.8', '::', '::ffff:10.0.0.1', 'fe80::1', '0.0.0.0'])(
    'may not from elsewhere: %s',
    (peer) => {
      expect(judgeScraper(ask(peer), LOCAL)).toBe('not from here');
    },
  );

  it.each([
    'X-Forwarded-For',
    'Forwarded',
    'Via',
    'X-Real-IP',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'CF-Connecting-IP',
    'True-Client-IP',
  ])('may not through a proxy, which leaves %s', (name) => {
    expect(judgeScraper(ask('127.0.0.1', { [name]: '127.0.0.1' }), LOCAL)).toBe('not from here');
  });

  it('may not through a proxy with a header of its own', () => {
    const rules = { ...LOCAL, addressHeader: 'X-Who-Asks', origin: 'https://wardround.example' };
    expect(judgeScraper(ask('127.0.0.1', { 'x-who-asks': '127.0.0.1' }), rules)).toBe('not from here');
    expect(judgeScraper(ask('127.0.0.1'), rules)).toBe('allowed');
  });

  it('may not where the server is published by a proxy that leaves no trace that we know', () => {
    expect(judgeScraper(ask('127.0.0.1'), { ...LOCAL, origin: 'https://wardround.example' })).toBe('not from here');
  });

  it.each(['rebound.example', 'rebound.example:3000', 'localhost.rebound.example', '10.0.0.1', '', 'a b'])(
    'may not by another name, as a page elsewhere can give its name our address: %s',
    (host) => {
      expect(judgeScraper(ask('127.0.0.1', { host }), LOCAL)).toBe('not from here');
    },
  );

  it.each(['localhost', 'localhost:3000', '127.0.0.1', '127.0.0.1.', '[::1]:3000'])(
    'may by a name of this machine: %s',
    (host) => {
      expect(judgeScraper(ask('::1', { host }), LOCAL)).toBe('allowed');
    },
  );
});

describe('whoever asks for the metrics, with a token set,', () => {
  const rules = { ...LOCAL, metricsToken: TOKEN };

  it.each(['127.0.0.1', '203.0.113.9', null])('may with the token from wherever: %s', (peer) => {
    const headers = { authorization: `Bearer ${TOKEN}`, host: 'wardround.example', 'x-forwarded-for': '203.0.113.9' };
    expect(judgeScraper(ask(peer, headers), rules)).toBe('allowed');
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Basic ${TOKEN}`,
    TOKEN,
    `Bearer ${'a'.repeat(5_000)}`,
  ])('may not with %j, from this machine either', (authorization) => {
    expect(judgeScraper(ask('127.0.0.1', authorization === undefined ? {} : { authorization }), rules)).toBe(
      'token needed',
    );
  });
});
