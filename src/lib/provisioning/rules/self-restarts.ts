/** How often a unit was restarted by systemd itself, as its `NRestarts` has counted at two times. */
export function selfRestartsBetween(before: number, after: number): number {
  // A start that somebody has ordered begins the count anew.
  return after >= before ? after - before : after;
}
