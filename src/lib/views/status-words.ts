import { traitsOf } from '../facts/cause.ts';
import { isKnown } from '../facts/freshness.ts';
import { charactersOf } from '../facts/shorten.ts';
import type { FleetRow } from './fleet-read.ts';
import { conditionOf, type Condition } from './fleet-words.ts';

/** How a VPS is, for everybody. */
export type PublicState = 'running' | 'trouble' | 'down' | 'maintenance' | 'unknown';

/** How a VPS is at `now`, as far as it may be told to anybody. */
export function publicStateOf(
  vps: Pick<
    FleetRow,
    'active' | 'notReadyWhy' | 'maintenanceSince' | 'status' | 'reachable' | 'knownUntil' | 'lastErrorCode'
  >,
  now: Date,
): PublicState {
  const condition = conditionOf(vps, now);
  switch (condition) {
    case 'maintenance':
      return 'maintenance';
    case 'healthy':
      return 'running';
    case 'unhealthy':
    case 'down':
      // The host answers, only our check does not work there: the service may well be running.
      if (vps.lastErrorCode !== null && traitsOf(vps.lastErrorCode).trouble === 'no_check') return 'unknown';
      return condition === 'down' || vps.status === 'circuit_open' ? 'down' : 'trouble';
    case 'unknown':
    case 'unchecked':
    case 'not_ready':
    case 'not_watched':
      return 'unknown';
  }
}

/** The state that was read some time ago, as it is at `now`: without another check it stands for so long only. */
export const stateAt = (
  { state, knownUntil }: { readonly state: PublicState; readonly knownUntil: Date | null },
  now: Date,
): PublicState => (state === 'maintenance' || isKnown({ knownUntil }, now) ? state : 'unknown');

/** The state as a word, as a sentence after the name of the service, as a mark and as a colour on which white is legible. */
export const PUBLIC_WORDS: Readonly<
  Record<
    PublicState,
    { readonly word: string; readonly says: string; readonly mark: Condition; readonly colour: string }
  >
> = {
  running: { word: 'running', says: 'is running', mark: 'healthy', colour: '#0f7a60' },
  trouble: { word: 'interrupted', says: 'is interrupted', mark: 'unhealthy', colour: '#9a5b00' },
  down: { word: 'down', says: 'is down', mark: 'down', colour: '#c2303a' },
  maintenance: { word: 'maintenance', says: 'is under maintenance', mark: 'maintenance', colour: '#4b5563' },
  unknown: { word: 'not known', says: 'cannot be checked at the moment', mark: 'unknown', colour: '#4b5563' },
};

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => ESCAPES[sign] ?? '');

const LONGEST_LABEL = 32;
const CHARACTER_PX = 6.6;
const PADDING_PX = 8;
const MARK_PX = 16;
/** White on the state's colour; shapes as in StatusMark. */
const MARKS: Readonly<Record<PublicState, string>> = {
  running: '<circle cx="6" cy="6" r="4.5"/>',
  trouble: '<path d="M6 1.2 11 10.6H1z"/>',
  down: '<rect x="1.5" y="1.5" width="9" height="9" rx="1.5"/>',
  maintenance:
    '<path d="M6 1.5a4.5 4.5 0 1 0 0 9z"/><circle cx="6" cy="6" r="4.5" fill="none" stroke="#fff" stroke-width="1.4"/>',
  unknown: '<circle cx="6" cy="6" r="4.2" fill="none" stroke="#fff" stroke-width="1.6" stroke-dasharray="2.2 2.2"/>',
};

/** A badge of 20 px in height: what it is on the left, how it is on the right. Stands alone: no font, no style sheet. */
export function renderBadge(title: string | null, state: PublicState): string {
  const { word, colour } = PUBLIC_WORDS[state];
  const characters = charactersOf(title ?? 'service');
  const label =
    characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL - 1).join('')}…` : characters.join('');
  const labelPx = Math.round(Math.min(characters.length, LONGEST_LABEL) * CHARACTER_PX);
  const wordPx = Math.round(word.length * CHARACTER_PX);
  const left = labelPx + 2 * PADDING_PX;
  const width = left + MARK_PX + wordPx + 2 * PADDING_PX;
  const text = (x: number, px: number, said: string): string =>
    `<text x="${x}" y="14" textLength="${px}" lengthAdjust="spacingAndGlyphs">${escape(said)}</text>`;
  const name = escape(`${label}: ${word}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${name}">`,
    `<title>${name}</title>`,
    `<clipPath id="r"><rect width="${width}" height="20" rx="4"/></clipPath>`,
    `<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#2f343a"/>`,
    `<rect x="${left}" width="${width - left}" height="20" fill="${colour}"/></g>`,
    `<g transform="translate(${left + PADDING_PX} 4)" fill="#fff">${MARKS[state]}</g>`,
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
    text(PADDING_PX, labelPx, label),
    text(left + PADDING_PX + MARK_PX, wordPx, word),
    '</g></svg>',
  ].join('');
}
