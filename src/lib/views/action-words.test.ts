import { expect, it } from 'vitest';
import { doneInWords } from './action-words.ts';

it.each([
  ['check', true, 'Check asked for. Its result appears here as soon as it is there.'],
  // The page itself shows the result then, and promises nothing any more.
  ['check', false, ''],
  ['edit', true, 'Saved. The login is tried now; its result appears here.'],
  ['edit', false, 'Saved.'],
  ['pause', true, 'Healing of this VPS is paused. Checks go on.'],
  ['toString', false, ''],
  [null, true, ''],
])('after %s, under way: %s, the page says: %s', (done, isUnderWay, says) => {
  expect(doneInWords(done, isUnderWay)).toBe(says);
});
