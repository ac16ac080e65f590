/** How one attempt to send something came out. Reasons are clean text without secrets: they are stored and shown. */
export type SendResult =
  | { readonly outcome: 'sent' }
  /** To be tried again. `mayHaveArrived`: it broke off where the other side may have taken the message already. */
  | {
      readonly outcome: 'retry';
      readonly reason: string;
      readonly retryAfterMs?: number;
      readonly mayHaveArrived?: true;
      /** It is about this recipient, such as a mailbox that is full, and tells nothing of the way to the others. */
      readonly ofRecipient?: true;
    }
  /** The other side will never take this message. `isGone`: nor any other. */
  | { readonly outcome: 'rejected'; readonly reason: string; readonly isGone?: true };

/** How one attempt ends early: `signal` when the process stops, `timeoutMs` for each wait on the other side. */
export type Attempt = { readonly signal: AbortSignal; readonly timeoutMs: number };
