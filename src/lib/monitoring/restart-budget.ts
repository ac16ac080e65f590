/** How many restarts of one VPS are still healing, and not a crash loop. */
export type RestartBudget = { readonly maxRestarts: number; readonly windowMs: number };

/**
 * Whether one more restart at `now` would go over the budget: each of them may have "worked", and the service died
 * again every time. `restarts` are the times of the ledger, in any order; those of a clock set back since count too.
 */
export const isBudgetSpent = (
  restarts: readonly Date[],
  now: Date,
  { maxRestarts, windowMs }: RestartBudget,
): boolean => restarts.filter((at) => Math.abs(now.getTime() - at.getTime()) < windowMs).length >= maxRestarts;
