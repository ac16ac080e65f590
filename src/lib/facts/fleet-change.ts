import type { ChannelName } from './message.ts';

/** A window of maintenance that is planned. */
export type PlannedWindow =
  | {
      readonly kind: 'weekly';
      /** 0 = Sunday, and minutes after midnight by the clocks of `timeZone`. */
      readonly weekday: number;
      readonly startMinute: number;
      readonly durationMinutes: number;
      readonly timeZone: string;
      readonly reason: string | null;
    }
  | { readonly kind: 'once'; readonly startsAt: Date; readonly endsAt: Date; readonly reason: string | null };

/** What is different in a field, as it is said; null: nothing. A key is never shown. */
export type FieldChange = { readonly field: string; readonly from: string | null; readonly to: string | null };

/** One difference between a fleet and the file that says what it is to be. */
export type FleetChange =
  | { readonly kind: 'add_customer'; readonly email: string; readonly name: string | null }
  | { readonly kind: 'rename_customer'; readonly email: string; readonly fields: readonly FieldChange[] }
  | { readonly kind: 'add_vps'; readonly email: string; readonly host: string; readonly fields: readonly FieldChange[] }
  | {
      readonly kind: 'change_vps';
      readonly email: string;
      readonly host: string;
      readonly fields: readonly FieldChange[];
    }
  | { readonly kind: 'remove_vps'; readonly email: string; readonly host: string }
  | {
      readonly kind: 'remove_labels';
      readonly email: string;
      readonly host: string;
      readonly labels: readonly string[];
    }
  | { readonly kind: 'add_window'; readonly email: string; readonly host: string; readonly window: PlannedWindow }
  | { readonly kind: 'remove_window'; readonly email: string; readonly host: string; readonly window: PlannedWindow }
  | {
      readonly kind: 'set_route';
      readonly email: string;
      readonly channel: ChannelName;
      readonly fields: readonly FieldChange[];
    }
  | { readonly kind: 'remove_route'; readonly email: string; readonly channel: ChannelName };

/** What would make a fleet what a file says. */
export type FleetPlan = {
  readonly changes: readonly FleetChange[];
  /** What is in the fleet and not in the file, and stays, as nobody has asked to remove it. */
  readonly kept: readonly FleetChange[];
};

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** `sun 02:00`, as it is typed. */
export const weeklyInWords = ({ weekday, startMinute }: Extract<PlannedWindow, { kind: 'weekly' }>): string =>
  `${WEEKDAYS[weekday] ?? ''} ${twoDigits(Math.floor(startMinute / 60))}:${twoDigits(startMinute % 60)}`;

/** What makes two windows the same. */
export const windowKey = (window: PlannedWindow): string =>
  window.kind === 'weekly'
    ? JSON.stringify([
        'weekly',
        window.weekday,
        window.startMinute,
        window.durationMinutes,
        window.timeZone,
        window.reason,
      ])
    : JSON.stringify(['once', secondsOf(window.startsAt), secondsOf(window.endsAt), window.reason]);

/** A file says times to the second. */
const secondsOf = (at: Date): number => Math.floor(at.getTime() / 1_000);
