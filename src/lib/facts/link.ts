/** How a VPS is looked at; see docs/architecture.md. */
export const LINK_KINDS = ['fresh', 'kept', 'bus'] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

/** Which kinds may be used: the best that works, or this one where it works. */
export const LINK_CHOICES = ['auto', ...LINK_KINDS] as const;
export type LinkChoice = (typeof LINK_CHOICES)[number];

/**
 * Why a VPS is not looked at over a better kind of link, or not healed over it, in words for admins. `todo` says what
 * would allow it; null where there is nothing to do. A new reason is a line here.
 */
export const LINK_LIMITS = {
  not_tried: { why: 'a better link has not been tried yet', todo: null },
  setting: { why: 'the setting SSH_LINK says so', todo: 'Set SSH_LINK=auto to use the best that works.' },
  not_leading: {
    why: 'only the process that sweeps keeps connections',
    todo: null,
  },
  full: {
    why: 'as many connections are kept as SSH_MAX_LINKS allows',
    todo: 'Raise SSH_MAX_LINKS, and the limit of open files with it (ulimit -n).',
  },
  not_kept: {
    why: 'the host, or something on the way to it, ends connections that rest',
    todo: 'Look at ClientAliveInterval and at firewalls with short memories in between; tried again within the hour.',
  },
  no_bridge: {
    why: 'systemd-stdio-bridge gave no bus to this login',
    todo: "It is part of systemd's package, and needs dbus running on the VPS. A login with a forced command needs that one.",
  },
  bus_refused: {
    why: 'the bus of the VPS refuses to tell this login about the service',
    todo: 'Look at the policy of the system bus there (/etc/dbus-1/system.d).',
  },
  start_refused: {
    why: 'the bus tells about the service, but refuses this login to start it, so sudo does that',
    todo: 'A rule of polkit allows it (polkit 0.106 or newer): see "Least rights" in docs/operations.md.',
  },
} as const satisfies Readonly<Record<string, { readonly why: string; readonly todo: string | null }>>;

export type LinkLimit = keyof typeof LINK_LIMITS;

export const isLinkLimit = (text: string): text is LinkLimit => Object.hasOwn(LINK_LIMITS, text);

/** What there is to say of the link of a VPS. */
export type LinkFacts = {
  readonly kind: LinkKind;
  /** Since when it has been of this kind. */
  readonly since: Date;
  readonly limit: LinkLimit | null;
  /** What the host has said about that, clean. */
  readonly detail: string | null;
  /** When the bus last told something by itself. */
  readonly newsAt: Date | null;
};

/** How many connections may be kept: a quarter of the open files is for pages, and another for what is not kept. */
export const linksWithin = (openFiles: number): number => Math.floor(openFiles / 2);
