import { maskSecrets } from './mask-secrets.ts';
import { beginningOf, shorten } from './shorten.ts';

const LONGEST = 200;

// C0, DEL and C1 controls, then what reorders or hides text: zero-width, bidirectional marks, overrides and isolates.
/* eslint-disable no-control-regex -- control characters are what this is about */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+/gu;
// Escape sequences go as a whole, or their letters stay behind.
const ESCAPE_SEQUENCE =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b(?:\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/gu;
/* eslint-enable no-control-regex */

/**
 * What a remote host said, as one line that is safe to log, store and show: without escape sequences and control or
 * direction characters, and at most `longest` characters long. Every byte of it may come from an attacker.
 */
export function cleanRemoteText(text: string, longest = LONGEST): string {
  // Far more than is kept, so that megabytes are not searched for a line.
  const line = beginningOf(text, longest * 50)
    .replaceAll(ESCAPE_SEQUENCE, '')
    .replaceAll(UNPRINTABLE, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return shorten(line, longest);
}

const LONGEST_REMOTE_LINE = 1_000;

/**
 * Several lines of a remote host, each clean by itself and with obvious secrets masked. Of more than `longestBytes` the
 * last whole lines are kept.
 */
export function cleanRemoteLines(text: string, longestBytes: number): string {
  const bytes = Buffer.from(text);
  const lines = bytes
    .subarray(-longestBytes)
    .toString()
    .split('\n')
    .map((line) => cleanRemoteText(line, LONGEST_REMOTE_LINE));
  // Cut in the middle of a line: half of it would say something else.
  if (bytes.length > longestBytes) lines.shift();
  return maskSecrets(lines.filter(Boolean)).join('\n');
}
