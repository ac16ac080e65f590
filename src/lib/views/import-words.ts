import type { FileProblem } from '../fleet-files/fleet-entry.ts';
import { count } from '../facts/time-words.ts';
import type { ImportOutcome, ImportResult } from '../facts/import-result.ts';

/** What became of a line, in a word or two. */
export const OUTCOME_WORDS: Readonly<Record<ImportOutcome, string>> = {
  added: 'Added',
  known: 'In the fleet already',
  good: 'Works, not added',
  failed: 'Does not work',
  stopped: 'Not tried',
};

/** `host_vars/web1.yml line 3: …`, or the sentence alone where it is about the whole file. */
export const problemInWords = ({ file, line, reason }: FileProblem): string =>
  [file, line !== null && `line ${line}`].filter(Boolean).join(' ') +
  (file === undefined && line === null ? '' : ': ') +
  reason;

const vpss = (number: number): string => count(number, 'VPS', 'VPSs');

/** How an import has ended, as a whole. */
export function importInWords(results: readonly Pick<ImportResult, 'outcome'>[]): string {
  const of = (outcome: ImportOutcome): number => results.filter((one) => one.outcome === outcome).length;
  const [added, known, good, failed, stopped] = [of('added'), of('known'), of('good'), of('failed'), of('stopped')];
  const isWhole = failed + stopped === 0;
  const works = `${vpss(good)} would work`;
  const parts = [
    added > 0 && `${vpss(added)} added.`,
    added === 0 &&
      good > 0 &&
      (isWhole ? `${works}; nothing was added.` : `Nothing was added: ${works}, but not all of them do.`),
    failed > 0 && `${vpss(failed)} cannot be watched as things are.`,
    stopped > 0 && `${vpss(stopped)} ${stopped === 1 ? 'was' : 'were'} not tried.`,
    known > 0 && `${known === 1 ? '1 is' : `${known} are`} in the fleet already.`,
  ];
  return parts.filter(Boolean).join(' ') || 'There was nothing to import.';
}
