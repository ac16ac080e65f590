import { availableParallelism, loadavg } from 'node:os';

export type Figure = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What it must not exceed, or not fall below. */
  readonly bar?: { readonly atMost: number } | { readonly atLeast: number };
};

export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

const misses = ({ value, bar }: Figure): boolean =>
  bar !== undefined && ('atMost' in bar ? !(value <= bar.atMost) : !(value >= bar.atLeast));

const inWords = ({ bar, unit }: Figure): string =>
  bar === undefined ? '' : 'atMost' in bar ? `at most ${bar.atMost} ${unit}` : `at least ${bar.atLeast} ${unit}`;

const rounded = (value: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 });

/**
 * Prints what a bench has measured: as a table and a line for docs/performance.md, or with `--json` as one JSON document.
 * The process ends with 1 where a bar is missed.
 */
export function report(name: string, circumstances: string, figures: readonly Figure[]): void {
  const machine = `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.versions.node}`;
  if (figures.some(misses)) process.exitCode = 1;
  if (process.argv.includes('--json')) {
    const rows = figures.map((figure) => ({ ...figure, missed: misses(figure) }));
    console.log(JSON.stringify({ bench: name, circumstances, machine, figures: rows }, null, 2));
    return;
  }
  console.log(`\n${circumstances}; ${machine}\n`);
  for (const figure of figures) {
    const value = `${rounded(figure.value)} ${figure.unit}`;
    console.log(
      `${figure.what.padEnd(60)}${value.padStart(18)}   ${inWords(figure)}${misses(figure) ? ' MISSED' : ''}`,
    );
  }
  const line = figures.map((figure) => `${figure.what}: ${rounded(figure.value)} ${figure.unit}`).join('; ');
  console.log(`\n| \`${name}\` | ${machine} | ${line} |`);
}
