import { describe, expect, it } from 'vitest';
import { describeLookupError, describeSocketError } from './ssh-failure.ts';

const system = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
const several = (...codes: string[]): NodeJS.ErrnoException =>
  Object.assign(new AggregateError(codes.map(system)), { code: codes[0] });

describe('an error of the socket', () => {
  it.each([
    ['refused', 'ECONNREFUSED'],
    ['reset', 'ECONNRESET'],
    ['reset', 'EPIPE'],
    ['timeout', 'ETIMEDOUT'],
    ['unreachable', 'EHOSTUNREACH'],
    ['unreachable', 'ENETUNREACH'],
    ['protocol', 'EWHATEVER'],
  ])('is the host’s: %s for %s', (code, given) => {
    expect(describeSocketError(system(given), 'connect')[0]).toBe(code);
  });

  it.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EADDRINUSE', 'EAFNOSUPPORT', 'EACCES', 'EPERM'])(
    'is ours for %s, and names it',
    (given) => {
      expect(describeSocketError(system(given), 'connect')).toEqual(['local_limit', expect.stringContaining(given)]);
    },
  );

  it.each([
    ['refused', ['ENETUNREACH', 'ECONNREFUSED']],
    ['refused', ['EADDRNOTAVAIL', 'ECONNREFUSED']],
    ['timeout', ['EADDRNOTAVAIL', 'ETIMEDOUT']],
    ['timeout', ['ENETUNREACH', 'ETIMEDOUT']],
    ['unreachable', ['EAFNOSUPPORT', 'EHOSTUNREACH']],
    ['local_limit', ['ETIMEDOUT', 'EMFILE']],
    ['local_limit', ['EADDRNOTAVAIL', 'EADDRNOTAVAIL']],
  ])('of a name with several addresses is %s for %j', (code, given) => {
    expect(describeSocketError(several(...given), 'connect')[0]).toBe(code);
  });
});

describe('an error of the look-up', () => {
  it.each([
    ['dns', 'ENOTFOUND'],
    ['resolver', 'EAI_AGAIN'],
    ['resolver', 'EAI_FAIL'],
    ['resolver', 'EAI_MEMORY'],
    ['resolver', 'EBUSY'],
    ['local_limit', 'EMFILE'],
    ['local_limit', 'ENOMEM'],
  ])('is %s for %s', (code, given) => {
    expect(describeLookupError(system(given))[0]).toBe(code);
  });
});
