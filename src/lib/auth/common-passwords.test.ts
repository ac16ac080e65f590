import { describe, expect, it } from 'vitest';
import { passwordProblem } from './account-form.ts';

const ANNA = 'anna.ward@example.test';

describe('a password', () => {
  it.each([
    'password1234',
    'PASSWORD1234',
    'Password!2026',
    'qwertyuiop12',
    '1q2w3e4r5t6y',
    '123456789012',
    'iloveyou1234',
    'administrator',
    '2026!unbelievable',
    'Wardround2026',
    'anna.ward2026',
  ])('%s is refused, as others try it first', async (password) => {
    expect(await passwordProblem(password, ANNA)).toMatch(/^Choose a password that is harder to guess/);
  });

  it.each([
    'correct horse battery staple',
    'maple-quartz-sailor',
    '7391-8462-mike-3920',
    'tjJ9!vx0Qpd4',
    'пароль и ещё слово',
  ])('%s is taken', async (password) => {
    expect(await passwordProblem(password, ANNA)).toBeUndefined();
  });
});
