import { expect, it } from 'vitest';
import { isPlainText } from './plain-text.ts';

it.each([
  ['Kestrel Foods', true],
  ['Café 🚀 👩‍🚀', true],
  ['עברית', true],
  ['\u202eKestrel', false],
  ['Kestrel\u2066', false],
  ['two\nlines', false],
  ['\u001b[31mred', false],
])('%j is plain: %s', (text, plain) => {
  expect(isPlainText(text)).toBe(plain);
});
