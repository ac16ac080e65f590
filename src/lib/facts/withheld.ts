/**
 * Why a restart that is called for and would be allowed is not sent, in the words that the error of the check ends with:
 * the pages, the command line, the log and mails say it so. A new reason is a line here.
 */
export const WITHHELD = {
  /** An admin has switched healing off. */
  healing_off: 'automatic restarts are switched off',
  /** An admin has switched it off for this VPS. */
  vps_paused: 'automatic restarts of this VPS are switched off',
  /** So much stopped at once that an admin has to decide. */
  healing_paused: 'automatic restarts pause until an admin decides',
  /** This sweep has sent as many restarts as it may; the next one goes on. */
  restart_cap: 'restarted in one of the next sweeps: this one has sent as many restarts as it may',
  /** News of it has had the restart of this sweep: a VPS that keeps failing gets no more than one an interval. */
  restarted_lately: 'restarted a moment ago: the next sweep goes on',
  /** So much of what was looked at has stopped that the whole fleet has to be seen first. */
  fleet_unseen: 'so much has stopped at once that the next sweep has to see the whole fleet first',
} as const satisfies Readonly<Record<string, string>>;

export type Withheld = keyof typeof WITHHELD;

export const isWithheld = (reason: string): reason is Withheld => Object.hasOwn(WITHHELD, reason);
