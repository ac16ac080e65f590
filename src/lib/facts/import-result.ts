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
  /** What was seen, or why it was not added: without its full stop. */
  readonly saw: string;
};
