import { styleText, stripVTControlCharacters } from 'node:util';
import type { FleetRow } from '../src/lib/views/fleet-read.ts';
import type { BreakerSettings } from '../src/lib/monitoring/circuit-breaker.ts';
import {
  adviceFor,
  circuitInWords,
  conditionOf,
  CONDITION_WORDS,
  whatWeSaw,
  type Condition,
} from '../src/lib/views/fleet-words.ts';
import { linkInWords, linkLimitInWords } from '../src/lib/views/link-words.ts';
import { shortAddress } from '../src/lib/facts/host-words.ts';
import { count, relativeTime, withCommas } from '../src/lib/facts/time-words.ts';

export const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));

const STYLE: Record<Condition, { readonly sign: string; readonly colour: Parameters<typeof styleText>[0] }> = {
  healthy: { sign: '●', colour: 'green' },
  unhealthy: { sign: '▲', colour: 'yellow' },
  down: { sign: '■', colour: 'red' },
  maintenance: { sign: '◐', colour: 'gray' },
  unknown: { sign: '?', colour: 'gray' },
  unchecked: { sign: '○', colour: 'gray' },
  not_ready: { sign: '◇', colour: 'yellow' },
  not_watched: { sign: '–', colour: 'gray' },
};

/** Sign and word; the colour only where the terminal has one. */
const renderCondition = (condition: Condition): string => {
  const { sign, colour } = STYLE[condition];
  return styleText(colour, `${sign} ${CONDITION_WORDS[condition]}`, { stream: process.stdout });
};

/** The fleet for people. */
export function renderTable(rows: readonly FleetRow[], now: Date, breaker: BreakerSettings): string {
  const cells = rows.map((row) => [
    renderCondition(conditionOf(row, now)),
    shortAddress(row.host, row.port),
    row.email,
    circuitInWords(row, now, breaker),
    row.lastCheckAt === null ? 'never' : relativeTime(row.lastCheckAt, now),
    whatWeSaw(row, now),
  ]);
  return renderColumns(['STATUS', 'HOST', 'CUSTOMER', 'CIRCUIT', 'CHECKED', 'WHAT WE SAW'], cells);
}

/** Rows below their titles, in columns as wide as their widest cell. */
export function renderColumns(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles, ...rows];
  const length = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = titles.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, length(line[column] ?? '')), 0),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - length(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function renderVps(row: FleetRow, now: Date, breaker: BreakerSettings): string {
  const time = (at: Date | null): string => (at === null ? 'never' : `${at.toISOString()} (${relativeTime(at, now)})`);
  const facts: [string, string][] = [
    ['status', renderCondition(conditionOf(row, now))],
    ['what we saw', whatWeSaw(row, now) || '–'],
    ['what to do', adviceFor(row)?.todo ?? '–'],
    ['circuit', circuitInWords(row, now, breaker)],
    ['last check', time(row.lastCheckAt)],
    ['last healthy', time(row.lastHealthyAt)],
    ['last failure', time(row.lastFailureAt)],
    ['last restart', time(row.lastRestartAttemptAt)],
    [
      'counted',
      `${count(row.totalChecks, 'check')}, ${count(row.totalFailures, 'failure')}, ${count(row.totalRecoveries, 'recovery', 'recoveries')}`,
    ],
    ['customer', `${row.customer === row.email ? '' : `${row.customer} `}<${row.email}>`],
    ['login', `${row.user}@${row.host} port ${row.port}`],
    ['service', row.service],
    ['labels', row.labels.join(', ') || 'none'],
    ['host key', row.hostKeyFingerprint ?? 'not pinned yet'],
    ...(row.hostKeyAt === null ? [] : [['pinned', time(row.hostKeyAt)] as [string, string]]),
    ...(row.hostKeySeenAt === null ? [] : [['key seen', time(row.hostKeySeenAt)] as [string, string]]),
    ...(row.offeredHostKeyFingerprint === null
      ? []
      : ([
          ['shown now', row.offeredHostKeyFingerprint],
          ['first shown', time(row.offeredHostKeyAt)],
        ] as [string, string][])),
    ['link', linkOf(row, time)],
    ...(row.note === null ? [] : [['note', row.note] as [string, string]]),
    ['subscription', `${row.subscriptionStatus}${row.active ? '' : ' (not swept)'}`],
    ['id', row.id],
  ];
  return facts.map(([name, value]) => `${`${name}:`.padEnd(14)} ${value}`).join('\n');
}

function linkOf({ link }: FleetRow, time: (at: Date | null) => string): string {
  if (link === null) return linkInWords(null);
  const limit = linkLimitInWords(link);
  const news = link.kind === 'bus' ? `, last news ${time(link.newsAt)}` : '';
  const why = limit === null ? '' : `; no better one: ${limit.why}${limit.todo === null ? '' : `. ${limit.todo}`}`;
  return `${linkInWords(link)}, since ${time(link.since)}${news}${why}`;
}

export async function confirm(question: string): Promise<boolean> {
  // Loaded by who asks only: most commands do not.
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

const BAR_WIDTH = 30;

/** How far something is, on a terminal, in place of the bar before. */
export function drawBar(done: number, total: number, unit = ''): void {
  const filled = total === 0 ? BAR_WIDTH : Math.round((done / total) * BAR_WIDTH);
  const counted = `${withCommas(done)} of ${withCommas(total)}${unit}`;
  process.stderr.write(`\r${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${counted}\u001b[K`);
}

export const clearBar = (): void => void process.stderr.write('\r\u001b[K');
