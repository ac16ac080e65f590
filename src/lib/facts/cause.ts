import type { LookKind } from './journal.ts';
import type { Trouble } from './trouble-words.ts';

/** What is known of a cause, once and for everybody who has to judge it, tell of it or do something about it. */
export type CauseTraits = {
  /** `setup`: somebody has to mend the machine, and a restart cannot; `ours`: it says nothing about the VPS. */
  readonly fault: 'service' | 'host' | 'setup' | 'ours';
  /** Nothing came back that only the host can have said: it may as well be our own network. */
  readonly silent: boolean;
  /** The message that admins get of it, whatever the breaker does; null: none of its own. */
  readonly adminKind: 'host_key_changed' | 'access_rejected' | 'configuration_fault' | null;
  /** As what the journal keeps it. */
  readonly journal: LookKind;
  /** A restart that failed may leave it. */
  readonly ofRestart: boolean;
  /** For admins: what it is called, what to do about it, and what of that can be done here. */
  readonly title: string;
  readonly todo: string;
  readonly first: FirstAction;
  /** What it looks like to the customer. */
  readonly trouble: Trouble;
  /** Whether customers are written to: not while the host lets us in and only our check does not work there. */
  readonly tellsCustomer: boolean;
};

/** What an admin can do here about a cause, before anything else. */
export type FirstAction = 'check' | 'restart' | 'edit' | 'repin';

const PLAIN = {
  adminKind: null,
  journal: 'check_failed',
  ofRestart: false,
  first: 'check',
  tellsCustomer: true,
} as const;
const RESTART = { ofRestart: true } as const;
const SERVICE = { ...PLAIN, fault: 'service', silent: false, first: 'restart', trouble: 'not_running' } as const;
const SILENT = { ...PLAIN, fault: 'host', silent: true, trouble: 'no_answer' } as const;
const ANSWERED = { ...SILENT, silent: false, trouble: 'no_check' } as const;
const FAULTY = { adminKind: 'configuration_fault', journal: 'configuration_fault' } as const;
const SETUP = { ...PLAIN, ...FAULTY, fault: 'setup', silent: false, trouble: 'not_running' } as const;
const NO_CHECK = { ...SETUP, trouble: 'no_check', tellsCustomer: false } as const;
const OURS = { ...PLAIN, fault: 'ours', silent: false, trouble: 'our_fault', tellsCustomer: false } as const;
const STORED = { ...OURS, ...FAULTY, first: 'edit' } as const;

/**
 * Every cause of a failed check, by the name that is stored (`health_checks.last_error_code`, `incidents.cause`). A new
 * one is a line here.
 */
export const CAUSES = {
  service_not_active: {
    ...SERVICE,
    title: 'Service not active',
    todo: 'Read why it stopped, mend that, then restart it.',
  },
  service_in_transition: {
    ...SERVICE,
    first: 'check',
    title: 'Service between two states',
    todo: 'Wait for the next check.',
  },
  service_starting: {
    ...SERVICE,
    first: 'check',
    title: 'Service starting',
    todo: 'Wait: it is given as long as its own TimeoutStartSec says, ten minutes at most.',
  },
  restart_failed: {
    ...SERVICE,
    ...RESTART,
    title: 'Restart failed',
    todo: 'Read why it failed, mend that, then restart it.',
  },
  start_limit: {
    ...SERVICE,
    ...RESTART,
    title: 'Start limit hit',
    todo: 'Mend what makes it stop, then restart it: by hand, that lifts the limit.',
  },
  crash_loop: {
    ...SERVICE,
    title: 'Crash loop',
    todo: 'Read what it said before each restart, mend that, then restart it.',
  },

  timeout: {
    ...SILENT,
    title: 'No answer in time',
    todo: 'See whether the machine runs, and whether a firewall keeps us out.',
  },
  refused: { ...SILENT, title: 'Connection refused', todo: 'See whether sshd runs there and listens on this port.' },
  unreachable: {
    ...SILENT,
    title: 'Network unreachable',
    todo: 'See whether the machine is on the network, and the route to it.',
  },
  reset: {
    ...SILENT,
    title: 'Connection reset',
    todo: 'See what sshd logs there, and whether a firewall cuts connections.',
  },
  dns: {
    ...SILENT,
    first: 'edit',
    title: 'Host name not found',
    todo: 'Correct the host name here, or its record in the DNS.',
  },

  auth_rejected: {
    ...ANSWERED,
    adminKind: 'access_rejected',
    journal: 'auth_rejected',
    title: 'Login refused',
    todo: 'Put our public key into the authorized_keys of this login again, or store the key that belongs there. Where the host took the key, it refuses the account: see chage -l and /etc/nologin there. We log in less and less often meanwhile, every 30 minutes in the end; a check by hand ends that wait.',
  },
  host_key_changed: {
    ...ANSWERED,
    adminKind: 'host_key_changed',
    journal: 'host_key_changed',
    first: 'repin',
    title: 'Host key changed',
    todo: 'Compare the new fingerprint with what the machine says on its own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Trust the key if they are the same. If they are not, somebody is in between.',
  },
  protocol: {
    ...ANSWERED,
    title: 'SSH protocol error',
    todo: 'See what answers on this port: no sshd, or one that is too old.',
  },
  output_limit: {
    ...ANSWERED,
    title: 'Too much output',
    todo: 'Log in by hand and see what prints so much: start-up files must be silent.',
  },
  no_exit_status: {
    ...ANSWERED,
    title: 'No exit status',
    todo: 'Log in by hand and see what ends the command before its time.',
  },

  unit_missing: {
    ...SETUP,
    ...RESTART,
    first: 'edit',
    title: 'Unit not found',
    todo: 'Install the service there, or correct its unit here.',
  },
  unit_masked: { ...SETUP, ...RESTART, title: 'Unit masked', todo: 'Unmask it there (systemctl unmask), then check.' },
  unit_broken: {
    ...SETUP,
    title: 'Unit cannot be loaded',
    todo: 'Mend its unit file there (systemd-analyze verify), then check.',
  },
  sudo_refused: {
    ...NO_CHECK,
    adminKind: 'access_rejected',
    title: 'sudo refused',
    todo: 'Let this login run systemctl by sudo without a password, then check.',
  },
  restart_refused: {
    ...SETUP,
    ...RESTART,
    adminKind: 'access_rejected',
    title: 'Restart refused',
    todo: 'Let this login restart the service by sudo without a password, then check.',
  },
  odd_answer: {
    ...NO_CHECK,
    title: 'Odd answer',
    todo: 'Log in by hand: start-up files must be silent, and systemctl must work.',
  },

  key_unreadable: {
    ...STORED,
    title: 'Private key unreadable',
    todo: 'Store the private key again: it is missing, or another ENCRYPTION_KEY has sealed it.',
  },
  key_invalid: {
    ...STORED,
    title: 'Private key of no use',
    todo: 'Store a private key in OpenSSH or PEM format, without a passphrase.',
  },
  target_invalid: {
    ...STORED,
    title: 'Address of no use',
    todo: 'Correct host and port; pin the host key anew if that is malformed.',
  },
  address_refused: {
    ...STORED,
    title: 'Address not allowed',
    todo: 'Correct the host, or what its name leads to in the DNS; where it is meant, allow it with ALLOWED_ADDRESSES.',
  },
  stalled: {
    ...OURS,
    title: 'Monitor stood still',
    todo: 'See whether the monitor’s own machine was suspended or overloaded.',
  },
  resolver: {
    ...OURS,
    title: 'Host name not looked up',
    todo: 'See whether the name servers of this machine answer: the name may be fine.',
  },
  local_limit: {
    ...OURS,
    title: 'This machine allowed no connection',
    todo: 'See whether this machine has file descriptors, memory and ports to spare, and lets connections out.',
  },
  aborted: { ...OURS, title: 'Check given up', todo: 'The monitor was stopping: the next check tells.' },
  outage: {
    ...OURS,
    title: 'Outage of the monitor',
    todo: 'See whether the monitor’s own network works; if it does, accept the outage in the settings.',
  },

  unknown: {
    ...ANSWERED,
    title: 'Unknown cause',
    todo: 'Read its error: another version of Wardround has written it.',
  },
} satisfies Record<string, CauseTraits>;

/** What is wrong, for machines. */
export type Cause = keyof typeof CAUSES;

/** The causes with these traits: `CauseWith<{ fault: 'ours' }>`. */
export type CauseWith<Traits extends Partial<CauseTraits>> = {
  [Name in Cause]: (typeof CAUSES)[Name] extends Traits ? Name : never;
}[Cause];

/** Some of them, by name: what is not in the table does not compile. */
export type CauseAmong<Name extends Cause> = Name;

export const CAUSE_NAMES = Object.keys(CAUSES) as readonly Cause[];

/** A stored cause; one that this version does not know, as another one has written it, is `unknown`. */
export const parseCause = (stored: string): Cause => CAUSE_NAMES.find((name) => name === stored) ?? 'unknown';

export const traitsOf = (cause: Cause): CauseTraits => CAUSES[cause];

export type OwnFault = CauseWith<{ fault: 'ours' }>;

/** Whether it tells about us rather than about the VPS. */
export const isOurFault = (cause: Cause | null): cause is OwnFault => cause !== null && CAUSES[cause].fault === 'ours';

/** Whether a restart is no remedy: it is the host that fails, or what it lets us do. */
export const isBeyondRestart = (cause: Cause | null): cause is CauseWith<{ fault: 'host' | 'setup' }> =>
  cause !== null && (CAUSES[cause].fault === 'host' || CAUSES[cause].fault === 'setup');
