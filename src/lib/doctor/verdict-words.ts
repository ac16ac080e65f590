/** What a check of the set-up comes to. */
export type Verdict = 'ok' | 'warning' | 'failure' | 'not known';

/** Beside the word, which is always said: shapes that can be told apart without colours. */
export const VERDICT_SIGNS: Readonly<Record<Verdict, string>> = {
  ok: '●',
  warning: '▲',
  failure: '■',
  'not known': '○',
};
