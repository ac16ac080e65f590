const LEAST_CAP = 5;
const CAP_SHARE = 0.1;
const SMALLEST_FLEET_FOR_PAUSE = 10;

/** How many restarts one sweep may send: the setting, or five, or a tenth of a larger fleet. */
export const restartCap = (fleet: number, configured: number | null): number =>
  configured ?? Math.max(LEAST_CAP, Math.floor(fleet * CAP_SHARE));

/**
 * Whether so many services stopped at once that something they share has stopped them, such as a bad release. Restarting
 * them all would help nobody. Asked of a part of the fleet (`fleet`: looked at so far) it tells whether to hold back and
 * see the rest first.
 */
export const isMassStop = (stoppedAtOnce: number, fleet: number): boolean => stoppedAtOnce * 2 > fleet;

/** Small fleets have no majority worth the name: two of three that stop are two incidents. */
export const hasMassStopRule = (fleet: number): boolean => fleet >= SMALLEST_FLEET_FOR_PAUSE;
