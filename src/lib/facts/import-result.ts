/** What became of one line of an import. `good`: it works, and was not added. */
export type ImportOutcome = 'added' | 'known' | 'good' | 'failed' | 'stopped';

export type ImportResult = {
  readonly line: number;
  readonly host: string;
  readonly port: number;
  readonly email: string;
  readonly outcome: ImportOutcome;
  /** Of the VPS in the fleet. */
  readonly id: string | null;
  /** What was seen, in sentences; empty where it was in the fleet already. */
  readonly saw: string;
};
