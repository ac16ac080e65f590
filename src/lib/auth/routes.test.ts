import { describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from './actor.ts';
import { judgeAccess, pathAfterSignIn } from './routes.ts';

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

describe('where a sign-in leads', () => {
  it.each([
    [null, '/'],
    ['/vps/vps-1?tab=restarts', '/vps/vps-1?tab=restarts'],
    ['https://elsewhere.example/', '/'],
    ['//elsewhere.example/', '/'],
    ['/\\elsewhere.example/', '/'],
    ['/\t/elsewhere.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['vps', '/'],
  ])('%o → %s', (next, path) => {
    expect(pathAfterSignIn(next, 'https://wardround.example')).toBe(path);
  });
});
