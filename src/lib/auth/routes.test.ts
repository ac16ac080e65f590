import { describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from './actor.ts';
import { judgeAccess } from './routes.ts';

const CUSTOMER = { role: 'customer', userId: 'user-1' } as const;

describe('who may come to a route', () => {
  it.each([
    ['/sign-in', null, 'allowed'],
    ['/', null, 'sign in'],
    ['/', CUSTOMER, 'allowed'],
    ['/account/second-factor', null, 'sign in'],
    ['/account/second-factor', CUSTOMER, 'forbidden'],
    ['/account/second-factor', LOCAL_OPERATOR, 'allowed'],
    ['/not/in/the/list', LOCAL_OPERATOR, 'unlisted'],
    ['constructor', LOCAL_OPERATOR, 'unlisted'],
  ] as const)('%s for %o: %s', (route, actor, verdict) => {
    expect(judgeAccess(route, actor)).toBe(verdict);
  });
});
