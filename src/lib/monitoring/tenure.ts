import type { Transaction } from '../db/client.ts';
import { isCurrent, type Tenure } from '../db/lease.ts';

/** The right to check is lost, or has been taken again since: nothing was written. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** Throws `LeaseLostError` where what was begun under this tenure must not be written any more. */
export const assertTenure = (tx: Transaction, tenure: Tenure): void => {
  if (!isCurrent(tx, tenure)) throw new LeaseLostError('another process has taken over the sweep');
};
