import { styleText } from 'node:util';
import type { Command } from 'commander';
import { examine, type Examined } from '../src/lib/doctor/examine.ts';
import { VERDICT_SIGNS, type Verdict } from '../src/lib/doctor/verdict-words.ts';
import { readEnvironment } from '../src/lib/environment.ts';
import { FAILED } from './caller.ts';
import { jsonOption, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';

const COLOURS: Readonly<Record<Verdict, Parameters<typeof styleText>[0]>> = {
  ok: 'green',
  warning: 'yellow',
  failure: 'red',
  'not known': 'gray',
};
const VERDICT_WIDTH = 11;
const TITLE_WIDTH = 16;

/** `wardround doctor`. */
export function fillDoctor(doctor: Command): void {
  doctor.addOption(jsonOption()).action(async ({ json }: JsonOption) => {
    const checks = await examine(readEnvironment());
    const isWell = checks.every(({ verdict }) => verdict !== 'failure');
    if (json) printJson({ ok: isWell, checks });
    else for (const check of checks) print(render(check));
    if (!isWell) process.exitCode = FAILED;
  });
}

function render({ verdict, title, seen, remedy }: Examined): string {
  const mark = styleText(COLOURS[verdict], `${VERDICT_SIGNS[verdict]} ${verdict.padEnd(VERDICT_WIDTH)}`, {
    stream: process.stdout,
  });
  const indent = ' '.repeat(2 + VERDICT_WIDTH + 1 + TITLE_WIDTH);
  return `${mark} ${title.padEnd(TITLE_WIDTH)}${seen}${remedy === null ? '' : `\n${indent}→ ${remedy}`}`;
}
