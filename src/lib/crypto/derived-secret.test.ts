import { expect, it } from 'vitest';
import { derivedSecret } from './derived-secret.ts';

it('is always the same for a key and a purpose, another for others, and not the key', () => {
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  expect(derivedSecret(one, 'sessions')).toBe(derivedSecret(one, 'sessions'));
  const all = [derivedSecret(one, 'sessions'), derivedSecret(one, 'other'), derivedSecret(two, 'sessions')];
  expect(new Set([...all, one.toString('hex')]).size).toBe(4);
  for (const secret of all) expect(secret).toMatch(/^[0-9a-f]{64}$/);
});
