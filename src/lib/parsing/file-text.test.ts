import { expect, it } from 'vitest';
import { MOST_FILE_BYTES, readFileText } from './file-text.ts';

const bytes = (...given: (number | string)[]): Uint8Array =>
  Buffer.concat(given.map((one) => (typeof one === 'string' ? Buffer.from(one) : Buffer.from([one]))));

it('is read without its byte order mark, with line feeds alone', () => {
  expect(readFileText(bytes('\ufeffhost\r\na\rb\n'))).toEqual({ text: 'host\na\nb\n' });
});

it.each([
  ['UTF-16', bytes(0xff, 0xfe, 'h', 0), 'the file is written in UTF-16; save it as UTF-8'],
  [
    'Latin-1',
    bytes('caf', 0xe9),
    'the file is not written in UTF-8 (it may be in Latin-1, or no text at all); save it as',
  ],
  ['half a letter', bytes('a', 0xf0, 0x9f), 'the file is not written in UTF-8'],
  ['a NUL', bytes('a', 0, 'b'), 'there is a NUL in the file, so it is no text'],
  ['nothing', bytes(' \n'), 'the file is empty'],
  ['too much', new Uint8Array(MOST_FILE_BYTES + 1), 'the file has 8388609 bytes; allowed: up to 8388608'],
])('is refused: %s', (_, given, problem) => {
  const read = readFileText(given);
  expect('problem' in read && read.problem).toContain(problem);
});
