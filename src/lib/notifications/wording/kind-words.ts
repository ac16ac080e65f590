import type { ChannelName, NotificationKind } from '../../facts/message.ts';

/** What each kind of message tells, as it is chosen on the page. */
export const KIND_WORDS: Readonly<Record<NotificationKind, string>> = {
  down: 'Your server or its service is down',
  up: 'It is running again',
  recovered: 'It had stopped and was restarted at once',
  circuit_opened: 'A circuit opened: restarts did not help',
  circuit_closed: 'A circuit closed: the service is running again',
  circuit_reminder: 'A circuit is still open, once a day',
  crash_loop: 'A service keeps dying after restarts',
  kept_alive: 'A service keeps dying, and systemd restarts it',
  host_key_changed: 'A host shows another key than the pinned one',
  access_rejected: 'A host refuses the login, or sudo does',
  configuration_fault: 'A VPS cannot be checked as it is set up',
  monitor_fault_began: 'The monitor has a fault, pauses healing, or cannot send',
  monitor_fault_ended: 'That fault is over',
};

/** Where something is sent to on a channel, before whose it is. */
export const TARGET_WORDS: Readonly<Record<ChannelName, string>> = {
  email: 'the e-mail address of',
  telegram: 'the Telegram chat of',
  webhook: 'the webhook of',
};

/** Within a sentence. */
export const CHANNEL_WORDS: Readonly<Record<ChannelName, string>> = {
  email: 'e-mail',
  telegram: 'Telegram',
  webhook: 'webhook',
};
